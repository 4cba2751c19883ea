import org.apache.tools.ant.types.selectors.SelectorUtils

/** A stage's {@code when}: its conditions, evaluated once, and the flags that say how early. */
class Conditions {
    private final Simulation build
    private final List<List> conditions
    private final Set<String> flags
    private Boolean met

    Conditions(Simulation build, Closure when) {
        this.build = build
        def directives = when ? build.read(when) : []
        flags = directives.findAll { it[0].startsWith('before') && it[1][0] == true }*.getAt(0) as Set
        conditions = directives.findAll { !it[0].startsWith('before') }
    }

    /** Without its flag a condition is not looked at so early: jenkins.io/doc/book/pipeline/syntax, "when". */
    boolean failBefore(String flag) { flag in flags && !areMet() }

    boolean areMet() {
        if (met == null) met = conditions.every { evaluate(it[0], it[1]) }
        met
    }

    private boolean evaluate(String name, List arguments) {
        def first = arguments ? arguments[0] : null
        switch (name) {
            case 'not': return !evaluate(*build.read(first)[0])
            case 'anyOf': return build.read(first).any { evaluate(*it) }
            case 'allOf': return build.read(first).every { evaluate(*it) }
            case 'expression': return build.runSteps(first) as boolean
            // A tag's build has its name as BRANCH_NAME too.
            case 'buildingTag': return build.variables().TAG_NAME != null
            case 'branch':
                def given = first instanceof Map ? first : [pattern: first]
                return compare(given.comparator ?: 'GLOB', given.pattern.toString(), build.variables().BRANCH_NAME)
            case 'changeRequest': return changeRequest(first ?: [:])
        }
        throw new WrongJenkinsfile("the simulation has no condition '$name'")
    }

    /** Exact equality unless a comparator is given, while branch takes a glob: ChangeRequestConditional of the plugin. */
    private boolean changeRequest(Map given) {
        def variables = build.variables()
        variables.CHANGE_ID != null && given.findAll { it.key != 'comparator' }.every { name, pattern ->
            compare(given.comparator ?: 'EQUALS', pattern.toString(), variables["CHANGE_${name.toUpperCase()}".toString()])
        }
    }

    /** Globs ignore case and * does not cross a slash; the other two are exact: Comparator of the plugin. */
    private static boolean compare(String comparator, String pattern, String actual) {
        switch (comparator) {
            case 'REGEXP': return (actual ?: '').matches(pattern)
            case 'EQUALS': return (actual ?: '') == pattern
            default: return SelectorUtils.matchPath(pattern, actual ?: '', false)
        }
    }
}
