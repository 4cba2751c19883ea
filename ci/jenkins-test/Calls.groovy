/** Reads a script that is nothing but nested calls, as a seed of the Job DSL is: each call as its name and its arguments. */
class Calls {
    /** A block stands among the arguments as the list of its own calls. */
    static List read(String text) { calls((Closure) new GroovyShell().evaluate("return {->\n$text\n}")) }

    private static List calls(Closure block) {
        def found = []
        def call = { name, arguments ->
            found << [name] + arguments.collect { it instanceof Closure ? calls(it) : it }
            null
        }
        new Meaning(call, { name -> throw new WrongJenkinsfile("'$name' is no call") }).run(block)
        found
    }
}
