/** The Jenkinsfile itself is wrong, in a way that shows only when it runs. */
class WrongJenkinsfile extends RuntimeException {
    WrongJenkinsfile(Object message) { super(message.toString()) }
}
