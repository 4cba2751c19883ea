import org.apache.tools.ant.types.selectors.SelectorUtils

/**
 * The files of a build, each a path with a word on its content: the workspace, what is stashed of it and
 * what is archived. The request's {@code leaves} says what a command leaves in the workspace.
 */
class Files {
    private final Map leaves
    private final Map<String, Map> stashes = [:]
    private Map<String, String> workspace = [:]

    Files(Map leaves) { this.leaves = leaves ?: [:] }

    /** What lies in the workspace now. */
    Map<String, String> present() { workspace.clone() }

    /** An agent that is taken begins with a checkout alone; what ran there before has been deleted. */
    void begin() { workspace = [:] }

    /** A command that fails leaves what it writes however it ends, such as the results of tests. */
    void leave(String command, String when) { workspace.putAll(leaves[command]?.get(when) ?: [:]) }

    /** Patterns are Ant's, joined by commas. */
    Map<String, String> matching(Object patterns) {
        def wanted = (patterns ?: '**').toString().split(/\s*,\s*/)
        workspace.findAll { path, content -> wanted.any { SelectorUtils.matchPath(it, path) } }
    }

    /** Nothing to stash is an error unless it is allowed: the help of the stash step. A second one of the same name replaces the first. */
    void stash(Map arguments) {
        def found = matching(arguments.includes)
        if (!found && !arguments.allowEmpty) throw new BuildStopped('FAILURE', "no files included in stash '$arguments.name'")
        stashes[arguments.name.toString()] = found
    }

    void unstash(String name) {
        if (!stashes.containsKey(name)) throw new BuildStopped('FAILURE', "no stash '$name'")
        workspace.putAll(stashes[name])
    }

    /** The same holds for artifacts: hudson.tasks.ArtifactArchiver. */
    void archive(Map arguments) {
        if (!matching(arguments.artifacts) && !arguments.allowEmptyArchive) {
            throw new BuildStopped('FAILURE', "no artifacts found that match '$arguments.artifacts'")
        }
    }
}
