import groovy.json.JsonOutput
import groovy.json.JsonSlurper

// Answers requests, one JSON object a line, so that a suite pays for one start of Java only:
//   {"do": "parse", "text": …}                      whether it is Groovy
//   {"do": "calls", "text": …}                      the calls of a script of the Job DSL
//   {"do": "check", "text": …}                      the mistakes of a Jenkinsfile
//   {"do": "run", "text": …, "env": {…}, …}         what a build of it does; see simulation.py
def vocabulary = new JsonSlurper().parse(new File(args[0]))
def out = System.out
// The Jenkinsfile under test must not write among the answers.
System.setOut(System.err)
System.in.eachLine('UTF-8') { line ->
    def request = new JsonSlurper().parseText(line)
    def answer
    try {
        switch (request.do) {
            case 'parse': answer = [errors: Checker.parse(request.text)]; break
            case 'calls': answer = [calls: Calls.read(request.text)]; break
            case 'check': answer = [errors: Checker.check(request.text, vocabulary)]; break
            default: answer = new Simulation(request, vocabulary).run()
        }
    } catch (Throwable e) {
        e.printStackTrace()
        def where = e.stackTrace.find { it.fileName?.endsWith('.groovy') }
        answer = [crash: "$e at $where".toString()]
    }
    out.println(JsonOutput.toJson(answer))
    out.flush()
}
