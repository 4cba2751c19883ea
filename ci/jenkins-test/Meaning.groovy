/** Gives a block of the Jenkinsfile its meaning: what its calls, its names and its assignments do. */
class Meaning {
    private final Closure onCall
    private final Closure onGet
    private final Closure onSet

    Meaning(Closure onCall, Closure onGet, Closure onSet = null) {
        this.@onCall = onCall
        this.@onGet = onGet
        this.@onSet = onSet
    }

    Object invokeMethod(String name, Object arguments) {
        this.@onCall.call(name, (arguments as Object[]) as List)
    }

    Object getProperty(String name) { this.@onGet.call(name) }

    void setProperty(String name, Object value) {
        if (!this.@onSet) throw new WrongJenkinsfile("nothing may be assigned to '$name' here")
        this.@onSet.call(name, value)
    }

    /** Runs the block with these meanings and with no others. */
    Object run(Closure block) {
        def copy = (Closure) block.clone()
        copy.delegate = this
        copy.resolveStrategy = Closure.DELEGATE_ONLY
        copy.call()
    }
}
