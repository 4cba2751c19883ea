import org.codehaus.groovy.runtime.InvokerHelper

/**
 * Runs a declarative Jenkinsfile as Jenkins would, in the order of the plugin's own ModelInterpreter
 * (github.com/jenkinsci/pipeline-model-definition-plugin), and records what happens.
 *
 * It covers what our Jenkinsfile uses. Left out: parallel, matrix, tools, libraries, retry, scripted stages.
 */
class Simulation {
    /** From best to worst; a build has the worst of what happened in it: hudson.model.Result. */
    private static final List<String> RESULTS = ['SUCCESS', 'UNSTABLE', 'FAILURE', 'NOT_BUILT', 'ABORTED']

    private static String lastText
    private static Class lastClass

    private final Map request
    private final Map vocabulary
    private final Files files
    private final Steps steps
    private final List<Map> trace = []
    private final List<String> path = []
    private final List<Map> scopes = []
    private final List<String> locks = []
    private final Map parameters = [:]
    private Set<String> options = []
    private String result

    /** The label of the agent that is held, null if there is none. */
    String agent
    /** The time limits around what runs now, in seconds, the outermost first. */
    final List<Integer> limits = []

    Simulation(Map request, Map vocabulary) {
        this.request = request
        this.vocabulary = vocabulary
        this.files = new Files(request.leaves)
        this.steps = new Steps(this, request, vocabulary, files)
    }

    /** The build's result, its first error, and the trace of what happened. */
    Map run() {
        Throwable error
        try {
            def binding = new Binding(pipeline: { Closure block -> error = runPipeline(block) })
            InvokerHelper.createScript(compiled(request.text), binding).run()
        } catch (WrongJenkinsfile e) {
            return [result: 'INVALID', error: e.message, trace: trace]
        } catch (RuntimeException e) {
            // The file's own code failed; the same in ours would say nothing about the file.
            def where = e.stackTrace.find { it.fileName == 'WorkflowScript' || it.fileName?.endsWith('.groovy') }
            if (where?.fileName != 'WorkflowScript') throw e
            return [result: 'INVALID', error: "line $where.lineNumber: $e".toString(), trace: trace]
        }
        [result: result ?: 'SUCCESS', error: error?.message, trace: trace]
    }

    /** Compiling takes far longer than running; a suite runs the same file many times. */
    private static Class compiled(String text) {
        if (text != lastText) {
            lastClass = new GroovyClassLoader().parseClass(text, 'WorkflowScript')
            lastText = text
        }
        lastClass
    }

    // ---- what the steps and conditions need ----

    void record(Map event) {
        trace << [stage: path.join('/'), agent: agent, locks: locks.clone(), limits: limits.clone()] + event
    }

    boolean isIn(String stage) { stage in path }

    void worsen(String other) { result = worse(result, other) }

    private static String worse(String a, String b) {
        RESULTS[Math.max(RESULTS.indexOf(a ?: 'SUCCESS'), RESULTS.indexOf(b ?: 'SUCCESS'))]
    }

    /** The environment, as env.NAME, NAME in a double-quoted string, and a command see it. */
    Map variables() {
        def inAgent = agent ? [EXECUTOR_NUMBER: '1', WORKSPACE: '/workspace'] : [:]
        def ofBuild = [BUILD_NUMBER: '7', JOB_NAME: 'hivecast/branch', BUILD_URL: 'https://jenkins/job/7/']
        def all = ([ofBuild, inAgent, request.env ?: [:], parameters.collectEntries { k, v -> [k, v.toString()] }] + scopes).sum()
        // What is set to nothing is unset: the help of the withEnv step, to which 'environment' comes down.
        all.findAll { name, value -> value || !scopes.any { it.containsKey(name) } }
    }

    Object withVariables(Map variables, Closure body) {
        scopes << variables
        try { body() } finally { scopes.pop() }
    }

    /** Of the builds that wait, the first is the newest or the oldest. */
    Object withLock(String resource, String first, Closure body) {
        locks << resource
        record(event: 'locked', resource: resource, first: first)
        try {
            body()
        } finally {
            record(event: 'unlocked', resource: resource)
            locks.pop()
        }
    }

    Object withLimit(int seconds, Closure body) {
        limits << seconds
        try { body() } finally { limits.pop() }
    }

    Object runSteps(Closure block) { new Meaning(steps.&call, this.&global).run(block) }

    private Object global(String name) {
        switch (name) {
            case 'params': return parameters
            case 'env': return new Meaning({ n, a -> throw new WrongJenkinsfile("env has no '$n'") }, { variables()[it] })
            case 'currentBuild': return [number: 7, result: result, currentResult: result ?: 'SUCCESS'] + previousBuilds()
        }
        def variables = variables()
        if (!variables.containsKey(name)) throw new WrongJenkinsfile("there is no '$name' here")
        variables[name]
    }

    /** request.previous has the results of the builds before, the newest first. A superseded one was not built. */
    private Map previousBuilds() {
        def previous = request.previous ?: []
        def built = previous.find { it != 'NOT_BUILT' }
        [previousBuild: previous ? [result: previous[0]] : null, previousBuiltBuild: built ? [result: built] : null]
    }

    /** The directives of a block, in order, each as [name, arguments]. */
    List<List> read(Closure block) {
        def directives = []
        new Meaning({ name, arguments ->
            if (name in vocabulary.nested) return [name, arguments]
            directives << [name, arguments]
            null
        }, { name -> name in ['any', 'none'] ? name : global(name) }).run(block)
        directives
    }

    private Map sections(Closure block) { read(block).collectEntries { [it[0], it[1] ? it[1][0] : null] } }

    private static Throwable caught(Closure body) {
        try {
            body()
            null
        } catch (BuildStopped e) {
            e
        }
    }

    // ---- pipeline ----

    private Throwable runPipeline(Closure block) {
        def pipeline = sections(block)
        // Known before anything else, in the first build of a branch too.
        if (pipeline.parameters) read(pipeline.parameters).each { parameters[it[1][0].name] = it[1][0].defaultValue }
        if (pipeline.options) options = read(pipeline.options)*.getAt(0) as Set
        record(event: 'options', names: options)
        Throwable error
        def outside = caught {
            withAgent(pipeline.agent) {
                withEnvironment(pipeline.environment) {
                    error = runStages(pipeline.stages, null, null)
                    error = runPost(pipeline.post, error)
                }
            }
        }
        error = error ?: outside
        if (error) worsen(error.result)
        error
    }

    private Throwable runStages(Closure stages, Throwable earlier, String skipped) {
        Throwable error = earlier
        read(stages).each { name, arguments -> error = runStage(arguments[0], arguments[1], error, skipped) ?: error }
        error.is(earlier) ? null : error
    }

    // ---- a stage ----

    private Throwable runStage(String name, Closure block, Throwable earlier, String skipped) {
        path << name
        try {
            def stage = sections(block)
            skipped = skipped ?: reasonToSkip(earlier)
            def when = new Conditions(this, stage.when)
            Throwable error = skipped ? null : caught { enter(stage, when) }
            if (!skipped && !error && !when.areMet()) skipped = 'when'
            if (skipped) {
                record(event: 'skipped', why: skipped)
                if (stage.stages) runStages(stage.stages, null, skipped)
            }
            if (error) record(event: 'failed', error: error.message)
            error
        } finally {
            path.pop()
        }
    }

    private String reasonToSkip(Throwable earlier) {
        if (earlier) return 'failure'
        result == 'UNSTABLE' && 'skipStagesAfterUnstable' in options ? 'unstable' : null
    }

    /** The order in which a stage begins: options, input, agent, when, environment, unless a flag moves when up. */
    private void enter(Map stage, Conditions when) {
        if (when.failBefore('beforeOptions')) return
        withOptions(stage.options ? read(stage.options) : []) {
            if (when.failBefore('beforeInput')) return
            if (stage.input) ask(sections(stage.input))
            if (when.failBefore('beforeAgent')) return
            withAgent(stage.agent) {
                if (!when.areMet()) return
                withEnvironment(stage.environment) { runBody(stage) }
            }
        }
    }

    private void runBody(Map stage) {
        record(event: 'start')
        Throwable error
        def own = caught { stage.stages ? (error = runStages(stage.stages, null, null)) : runSteps(stage.steps) }
        error = runPost(stage.post, error ?: own)
        if (error) throw error
    }

    /** The first option is the outermost: recursiveWrappers of the ModelInterpreter. */
    private void withOptions(List<List> given, Closure body) {
        if (!given) {
            body()
            return
        }
        def (name, arguments) = given.head()
        def named = arguments && arguments[0] instanceof Map ? arguments[0] : [(vocabulary.options[name].unnamed): arguments ? arguments[0] : null]
        steps.wrap(name, named) { withOptions(given.tail(), body) }
    }

    private void ask(Map input) {
        record(event: 'input', message: input.message, submitter: input.submitter)
        steps.answer()
    }

    /** Absent: that of the enclosing stage. An agent begins with a checkout of the commit that is built. */
    private void withAgent(Object given, Closure body) {
        if (given == null) {
            body()
            return
        }
        def outer = agent
        agent = given == 'none' ? null : given == 'any' ? 'any' : sections(given).label.toString()
        try {
            if (agent && agent in (request.offline ?: [])) waitForAgent()
            if (agent) {
                files.begin()
                record(event: 'agent')
            }
            body()
        } finally {
            agent = outer
        }
    }

    private void waitForAgent() {
        if (!limits) throw new WrongJenkinsfile("waits for ever for an agent '$agent'")
        throw new BuildStopped('ABORTED', "no agent '$agent' within the time limit")
    }

    private void withEnvironment(Closure block, Closure body) {
        def variables = [:]
        if (block) {
            def calls = { name, arguments -> throw new WrongJenkinsfile("'environment' calls '$name'") }
            new Meaning(calls, { variables.containsKey(it) ? variables[it] : global(it) }, { name, value -> variables[name] = value.toString() }).run(block)
        }
        withVariables(variables, body)
    }

    // ---- post ----

    /** Every condition that holds, in Jenkins' order, whatever the file's; an error in one does not stop the next. */
    private Throwable runPost(Closure block, Throwable error) {
        def given = block ? sections(block) : [:]
        vocabulary.postConditions.findAll { given[it] }.each { condition ->
            if (!holds(condition, worse(result, error?.result))) return
            path << "post:$condition".toString()
            def failed = caught { runSteps(given[condition]) }
            if (failed) record(event: 'failed', error: failed.message)
            path.pop()
            error = error ?: failed
        }
        error
    }

    /** Fixed and regression look at the build before, even if that was superseded: the plugin's Fixed.groovy. */
    private boolean holds(String condition, String now) {
        def before = request.previous ? request.previous[0] : null
        switch (condition) {
            case ['always', 'cleanup']: return true
            case 'changed': return before == null || now != before
            case 'fixed': return now == 'SUCCESS' && before in ['FAILURE', 'UNSTABLE']
            case 'regression': return before != null && RESULTS.indexOf(now) > RESULTS.indexOf(before)
            case 'unsuccessful': return now != 'SUCCESS'
            case 'notBuilt': return now == 'NOT_BUILT'
        }
        condition.toUpperCase() == now
    }
}
