/** A build that does not go on: failed (FAILURE), stopped by a person or a time limit (ABORTED), superseded (NOT_BUILT). */
class BuildStopped extends Exception {
    final String result

    BuildStopped(String result, Object message) {
        super(message.toString())
        this.result = result
    }
}
