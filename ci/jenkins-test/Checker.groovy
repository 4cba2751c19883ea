import com.cloudbees.groovy.cps.CpsTransformer
import org.codehaus.groovy.ast.ASTNode
import org.codehaus.groovy.ast.CodeVisitorSupport
import org.codehaus.groovy.ast.ModuleNode
import org.codehaus.groovy.ast.expr.*
import org.codehaus.groovy.ast.stmt.*
import org.codehaus.groovy.control.CompilationFailedException
import org.codehaus.groovy.control.CompilationUnit
import org.codehaus.groovy.control.CompilerConfiguration
import org.codehaus.groovy.control.Phases
import org.codehaus.groovy.syntax.Types

/**
 * Refuses a Jenkinsfile that Jenkins would refuse, and some that Jenkins would let through until they
 * run: its own linter does not know steps, so a misspelt one fails only when its stage is reached.
 * Reads the syntax tree; nothing of the file is run.
 */
class Checker {
    /** One statement of a block: {@code name argument, name: argument { block }}. */
    static class Directive {
        String name
        List<Expression> arguments
        ClosureExpression block
        ASTNode node
    }

    private final Map vocabulary
    private final List<List> errors = []

    private Checker(Map vocabulary) { this.vocabulary = vocabulary }

    /** The mistakes, each as "line 12: what is wrong", in the file's order. */
    static List<String> check(String text, Map vocabulary) {
        def checker = new Checker(vocabulary)
        try {
            checker.checkModule(syntaxTree(text))
            if (!checker.errors) compileAsJenkinsDoes(text)
        } catch (CompilationFailedException e) {
            checker.errors << [1, e.message]
        }
        checker.errors.unique().sort { it[0] }.collect { "line ${it[0]}: ${it[1]}".toString() }
    }

    /** Whether it is Groovy at all. */
    static List<String> parse(String text) {
        try {
            syntaxTree(text)
            []
        } catch (CompilationFailedException e) {
            [e.message]
        }
    }

    private static ModuleNode syntaxTree(String text) {
        def unit = new CompilationUnit()
        // The class's name in Jenkins; any other could hide a name that the file uses.
        unit.addSource('WorkflowScript', text)
        unit.compile(Phases.CONVERSION)
        unit.AST.modules[0]
    }

    private static void compileAsJenkinsDoes(String text) {
        def configuration = new CompilerConfiguration()
        configuration.addCompilationCustomizers(new CpsTransformer())
        new GroovyShell(configuration).parse(text, 'WorkflowScript')
    }

    private void error(ASTNode node, Object message) { errors << [node.lineNumber, message.toString()] }

    // ---- reading the tree ----

    private static List<Statement> statements(Statement code) {
        code instanceof BlockStatement ? code.statements : [code]
    }

    private static Expression expressionOf(Statement statement) {
        statement instanceof ExpressionStatement || statement instanceof ReturnStatement ? statement.expression : null
    }

    /** Null if the statement is anything but a call without a receiver. */
    private static Directive directive(Statement statement) {
        def call = expressionOf(statement)
        if (!(call instanceof MethodCallExpression) || !call.implicitThis) return null
        def arguments = call.arguments instanceof TupleExpression ? new ArrayList(call.arguments.expressions) : [call.arguments]
        def block = arguments && arguments.last() instanceof ClosureExpression ? arguments.pop() : null
        new Directive(name: call.methodAsString, arguments: arguments, block: block, node: statement)
    }

    private List<Directive> directives(ClosureExpression block, String where) {
        statements(block.code).collect { statement ->
            def found = directive(statement)
            if (!found) error(statement, "only directives may stand in '$where'")
            found
        }.findAll()
    }

    private List<Directive> section(Directive section) {
        if (!section.block || section.arguments) {
            error(section.node, "'$section.name' takes a block and nothing else")
            return []
        }
        def inside = directives(section.block, section.name)
        if (!statements(section.block.code)) error(section.node, "'$section.name' is empty")
        inside
    }

    private static Object literal(Expression e) {
        e instanceof ConstantExpression ? e.value : e instanceof VariableExpression ? e.name : null
    }

    private void onlyOnce(List<Directive> directives, String where) {
        directives.groupBy { it.name }.each { name, same ->
            if (same.size() > 1) error(same[1].node, "'$name' stands twice in '$where'")
        }
    }

    private void known(Directive d, Collection names, String kind) {
        if (!(d.name in names)) error(d.node, "unknown $kind '$d.name' (known: ${names.join(', ')})")
    }

    // ---- arguments ----

    private void checkCall(Directive d, Map table, String kind) {
        def entry = table[d.name]
        if (entry == null) {
            known(d, table.keySet(), kind)
            return
        }
        if (d.block && !entry.block && !entry.children) error(d.node, "$kind '$d.name' takes no block")
        if (!d.block && (entry.block || entry.children)) error(d.node, "$kind '$d.name' needs a block")
        checkArguments(d.node, d.name, d.arguments, entry, kind)
    }

    private void checkArguments(ASTNode node, String name, List<Expression> given, Map entry, String kind) {
        Map<String, Expression> byName = [:]
        if (given.size() == 1 && given[0] instanceof MapExpression) {
            given[0].mapEntryExpressions.each { byName[literal(it.keyExpression) as String] = it.valueExpression }
        } else if (given.size() == 1 && entry.unnamed) {
            byName[entry.unnamed] = given[0]
        } else if (given) {
            error(node, "$kind '$name': its arguments must be named")
            return
        }
        entry.arguments.each { argument, type ->
            if (type.endsWith('!') && !byName.containsKey(argument)) error(node, "$kind '$name': '$argument' is missing")
        }
        byName.each { argument, value ->
            def type = entry.arguments[argument]
            if (!type) error(node, "$kind '$name' has no argument '$argument' (known: ${entry.arguments.keySet().join(', ')})")
            else checkValue(node, "$kind '$name'", argument, value, type - '!')
        }
    }

    /** A literal's type, as Jenkins checks it; what is computed is known only when it runs. */
    private void checkValue(ASTNode node, String of, String argument, Expression value, String type) {
        if (value instanceof ListExpression) value.expressions.each { nestedCall(it) }
        nestedCall(value)
        if (value instanceof ConstantExpression) {
            def fits = [string: String, integer: Integer, boolean: Boolean, any: Object][type].isInstance(value.value)
            if (!fits) error(node, "$of: '$argument' must be of type $type, not $value.text")
            if (argument == 'comparator' && !(value.value in vocabulary.comparators)) error(node, "$of: no comparator '$value.value'")
            if (argument == 'unit' && !(value.value in vocabulary.units)) error(node, "$of: no unit '$value.value'")
        } else if (value instanceof VariableExpression && type != 'any') {
            error(node, "$of: '$value.name' is no value; quotes are missing")
        }
    }

    /** {@code logRotator(…)} in {@code buildDiscarder}, {@code file(…)} in {@code withCredentials}. */
    private void nestedCall(Expression e) {
        if (!(e instanceof MethodCallExpression) || !e.implicitThis) return
        def entry = vocabulary.nested[e.methodAsString] ?: vocabulary.bindings[e.methodAsString]
        if (!entry) error(e, "unknown binding or value '$e.methodAsString'")
        else checkArguments(e, e.methodAsString, e.arguments.expressions, entry, 'value')
    }

    // ---- sections ----

    private void checkModule(ModuleNode module) {
        def top = module.statementBlock.statements
        def pipeline = top.size() == 1 ? directive(top[0]) : null
        if (pipeline?.name != 'pipeline') {
            error(top ? top[0] : module, "the file must be one 'pipeline' block")
            return
        }
        def sections = section(pipeline)
        onlyOnce(sections, 'pipeline')
        sections.each {
            known(it, vocabulary.pipelineSections, 'section')
            checkSection(it, false)
        }
        ['agent', 'stages'].each { name ->
            if (!sections.any { it.name == name }) error(pipeline.node, "'pipeline' has no '$name'")
        }
    }

    private void checkSection(Directive d, boolean inStage) {
        switch (d.name) {
            case 'agent': checkAgent(d); break
            case 'options': checkOptions(d, inStage); break
            case 'parameters': section(d).each { checkCall(it, vocabulary.parameters, 'parameter') }; break
            case 'environment': checkEnvironment(d); break
            case 'when': checkWhen(d); break
            case 'input': checkInput(d); break
            case 'steps': if (d.block) checkSteps(d.block, 'steps') else error(d.node, "'steps' needs a block"); break
            case 'stages': checkStages(d); break
            case 'post': checkPost(d); break
        }
    }

    private void checkStages(Directive stages) {
        def inside = section(stages)
        inside.each { stage ->
            if (stage.name != 'stage' || !stage.block || stage.arguments.size() != 1 || !(literal(stage.arguments[0]) instanceof String)) {
                error(stage.node, "only stage('name') { … } may stand in 'stages'")
            } else {
                checkStage(stage, literal(stage.arguments[0]))
            }
        }
        inside.findAll { it.arguments }.countBy { literal(it.arguments[0]) }.each { name, count ->
            if (count > 1) error(stages.node, "two stages are called '$name'")
        }
    }

    private void checkStage(Directive stage, String name) {
        def sections = directives(stage.block, name)
        onlyOnce(sections, name)
        sections.each {
            known(it, vocabulary.stageSections, 'section')
            checkSection(it, true)
        }
        if (sections.count { it.name in ['steps', 'stages'] } != 1) error(stage.node, "stage '$name' needs either 'steps' or 'stages'")
    }

    private void checkAgent(Directive agent) {
        if (!agent.block) {
            if (agent.arguments.size() != 1 || !(literal(agent.arguments[0]) in ['any', 'none'])) error(agent.node, "agent must be any, none or a block")
            return
        }
        def kinds = section(agent)
        if (kinds.size() != 1 || kinds[0].name != 'label' || kinds[0].arguments.size() != 1) error(agent.node, "agent takes one label('…')")
    }

    private void checkOptions(Directive options, boolean inStage) {
        def inside = section(options)
        onlyOnce(inside, 'options')
        inside.each {
            checkCall(it, vocabulary.options, 'option')
            if (inStage && vocabulary.options[it.name] && !vocabulary.options[it.name].stage) error(it.node, "option '$it.name' is not for a stage")
        }
    }

    private void checkEnvironment(Directive environment) {
        if (!environment.block) {
            error(environment.node, "'environment' needs a block")
            return
        }
        statements(environment.block.code).each { statement ->
            def e = expressionOf(statement)
            def assigns = e instanceof BinaryExpression && e.operation.type == Types.EQUAL && e.leftExpression instanceof VariableExpression
            if (!assigns) error(statement, "'environment' takes NAME = \"value\" only")
            else if (!(e.rightExpression instanceof GStringExpression) && !(literal(e.rightExpression) instanceof String)) error(statement, "'$e.leftExpression.name' must be a string")
        }
    }

    private void checkWhen(Directive when) {
        def inside = section(when)
        def flags = inside.findAll { it.name in vocabulary.whenFlags }
        flags.each { if (!(it.arguments.size() == 1 && literal(it.arguments[0]) instanceof Boolean)) error(it.node, "'$it.name' takes true or false") }
        def conditions = inside - flags
        if (!conditions) error(when.node, "'when' has no condition")
        conditions.each { checkCondition(it) }
    }

    private void checkCondition(Directive condition) {
        checkCall(condition, vocabulary.conditions, 'condition')
        def children = vocabulary.conditions[condition.name]?.children
        if (children && condition.block) {
            def inside = directives(condition.block, condition.name)
            if (children == 'one' && inside.size() != 1) error(condition.node, "'$condition.name' takes one condition")
            inside.each { checkCondition(it) }
        } else if (condition.block) {
            checkScript(condition.block)
        }
    }

    private void checkInput(Directive input) {
        def fields = section(input)
        fields.each {
            known(it, vocabulary.inputFields, 'field of input')
            if (it.arguments.size() != 1 || !(it.arguments[0] instanceof GStringExpression || literal(it.arguments[0]) instanceof String)) error(it.node, "'$it.name' takes one string")
        }
        if (!fields.any { it.name == 'message' }) error(input.node, "input: 'message' is missing")
    }

    private void checkPost(Directive post) {
        def conditions = section(post)
        onlyOnce(conditions, 'post')
        conditions.each {
            known(it, vocabulary.postConditions, 'condition of post')
            if (it.block) checkSteps(it.block, it.name) else error(it.node, "'$it.name' needs a block")
        }
    }

    private void checkSteps(ClosureExpression block, String where) {
        if (!statements(block.code)) error(block, "'$where' has no steps")
        directives(block, where).each { step ->
            checkCall(step, vocabulary.steps, 'step')
            if (step.block) {
                if (step.name == 'script') checkScript(step.block) else checkSteps(step.block, step.name)
            }
        }
    }

    /** In script {} any Groovy may stand; its calls without a receiver must be steps that we know. */
    private void checkScript(ClosureExpression block) {
        def checker = this
        block.code.visit(new CodeVisitorSupport() {
            @Override
            void visitMethodCallExpression(MethodCallExpression call) {
                if (call.implicitThis) checker.checkCall(Checker.directive(new ExpressionStatement(call)), checker.vocabulary.steps, 'step')
                super.visitMethodCallExpression(call)
            }
        })
    }
}
