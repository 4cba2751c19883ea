/**
 * What each step does in the simulation: it is recorded, and it fails where the request says so.
 * No command is run.
 */
class Steps {
    private final Simulation build
    private final Map request
    private final Map vocabulary
    private final Files files
    private Integer lastMilestone

    Steps(Simulation build, Map request, Map vocabulary, Files files) {
        this.build = build
        this.request = request
        this.files = files
        this.vocabulary = vocabulary
    }

    Object call(String name, List given) {
        def entry = vocabulary.steps[name]
        if (vocabulary.bindings[name]) return [binding: name] + (Map) given[0]
        if (!entry) throw new WrongJenkinsfile("no such step '$name'")
        given = new ArrayList(given)
        Closure block = given && given.last() instanceof Closure ? given.pop() : null
        Map arguments = !given ? [:] : given[0] instanceof Map ? given[0] : [(entry.unnamed): given[0]]
        // sh in a place without an agent compiles and passes the linter; it fails when it is reached.
        if (entry.agent && !build.agent) throw new BuildStopped('FAILURE', "step '$name' needs an agent and has none")
        if (!(name in ['script', 'withCredentials'])) {
            def event = [step: name, arguments: arguments.collectEntries { k, v -> [k, v == null ? null : v.toString()] }]
            if (name == 'sh') event += [env: build.variables(), files: files.present()]
            if (name == 'archiveArtifacts') event += [files: files.matching(arguments.artifacts)]
            build.record(event)
        }
        run(name, arguments, block)
    }

    private Object run(String name, Map arguments, Closure block) {
        switch (name) {
            case 'sh': return command(arguments.script.toString())
            case 'error': throw new BuildStopped('FAILURE', arguments.message)
            case 'junit': return testResults(arguments)
            case 'stash': return files.stash(arguments)
            case 'unstash': return files.unstash(arguments.name.toString())
            case 'archiveArtifacts': return files.archive(arguments)
            case 'deleteDir': return files.begin()
            case 'milestone': return milestone(arguments.ordinal as Integer)
            case 'input': return answer()
            case 'withCredentials': return build.withVariables(bind(arguments.bindings)) { build.runSteps(block) }
            case 'withEnv':
                def variables = arguments.overrides.collectEntries { def pair = it.toString().split('=', 2); [pair[0], pair[1]] }
                return build.withVariables(variables) { build.runSteps(block) }
            case ['lock', 'timeout']: return wrap(name, arguments) { build.runSteps(block) }
        }
        block ? build.runSteps(block) : null
    }

    /** The steps that surround others, as a step and as an option of a stage. */
    Object wrap(String name, Map arguments, Closure body) {
        if (name == 'lock') return build.withLock(arguments.resource.toString(), arguments.inversePrecedence ? 'newest' : 'oldest', body)
        def seconds = [SECONDS: 1, MINUTES: 60, HOURS: 3600, DAYS: 86400][(arguments.unit ?: 'MINUTES').toString()]
        build.withLimit((arguments.time as int) * seconds, body)
    }

    private Object command(String script) {
        def failure = request.fail?.find { script =~ it.command && (!it.stage || build.isIn(it.stage)) }
        files.leave(script, 'always')
        if (failure) throw new BuildStopped(failure.result ?: 'FAILURE', "'$script' ended with $failure")
        files.leave(script, 'success')
    }

    /** Failed tests make the build unstable and the step succeeds; no file at all makes it fail. */
    private Object testResults(Map arguments) {
        if (!files.matching(arguments.testResults) && !arguments.allowEmptyResults) throw new BuildStopped('FAILURE', 'no test report files were found')
        if (request.junit == 'failures') build.worsen('UNSTABLE')
        null
    }

    /** A build's milestones must rise; see jenkins.io/doc/pipeline/steps/pipeline-milestone-step. */
    private Object milestone(Integer ordinal) {
        if (lastMilestone != null && ordinal <= lastMilestone) throw new BuildStopped('FAILURE', "milestone $ordinal after $lastMilestone")
        lastMilestone = ordinal
        null
    }

    Object answer() {
        if (request.input == 'timeout' && !build.limits) throw new WrongJenkinsfile('an input without a time limit waits for ever')
        if (request.input in ['abort', 'timeout']) throw new BuildStopped('ABORTED', "input: $request.input")
        null
    }

    /** The variables of withCredentials; each value says which secret it stands for. */
    private Map bind(Object bindings) {
        (bindings as List).collectMany { binding ->
            def id = binding.credentialsId.toString()
            def kind = request.credentials?.get(id)
            def wanted = vocabulary.bindings[binding.binding].kind
            if (!kind) throw new BuildStopped('FAILURE', "could not find credentials entry with ID '$id'")
            build.record(event: 'lent', credential: id)
            if (kind != wanted) throw new BuildStopped('FAILURE', "credentials '$id' are of kind $kind, not $wanted")
            def variables = binding.binding == 'gitUsernamePassword' ? ['GIT_ASKPASS', 'GIT_USERNAME', 'GIT_PASSWORD'] :
                binding.findAll { it.key.toString().toLowerCase().endsWith('variable') }.values()*.toString()
            variables.collect { [(it): "secret($id/$it)".toString()] }
        }.collectEntries()
    }
}
