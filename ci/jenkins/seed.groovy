// Job DSL: the multibranch job. casc.yaml runs it whenever the controller's configuration is loaded.
// The names of the traits are those of the github-branch-source and git plugins.
multibranchPipelineJob('hivecast') {
    displayName('Hivecast')
    description('Made by ci/jenkins/seed.groovy; changes by hand are lost.')

    branchSources {
        branchSource {
            source {
                github {
                    // Jenkins knows the source by this id: a new one would forget every branch's builds.
                    id('hivecast')
                    credentialsId('hivecast-github')
                    configuredByUrl(false)
                    repositoryUrl('https://github.com/example/hivecast')
                    repoOwner('example')
                    repository('hivecast')
                    traits {
                        // 3: every branch, also one with an open pull request, such as release/1.2 into master.
                        gitHubBranchDiscovery { strategyId(3) }
                        // 1: the pull request merged with its target, which is what master will be.
                        gitHubPullRequestDiscovery { strategyId(1) }
                        // The Jenkinsfile of a fork is taken from its target branch unless its author may write here.
                        gitHubForkDiscovery {
                            strategyId(1)
                            trust { gitHubTrustPermissions() }
                        }
                        // Agents check out with a key that may only read: the App's token could set statuses, and what
                        // runs on an agent, a stranger's code on some, could take what its checkout was lent.
                        gitHubSshCheckout { credentialsId('hivecast-checkout') }
                        // Tags are fetched, for ci/release looks at them, in a pull request's build at nothing else;
                        // they are not discovered, so none is built.
                        cloneOption {
                            extension {
                                shallow(false)
                                noTags(false)
                                reference('')
                                timeout(10)
                            }
                        }
                    }
                }
            }
        }
    }

    factory {
        workflowBranchProjectFactory { scriptPath('Jenkinsfile') }
    }

    // The webhook brings every push; this finds what was missed while the controller was down.
    triggers {
        periodicFolderTrigger { interval('1d') }
    }

    // What became of a branch stays readable for two weeks after it is gone. A build that runs is
    // left to end: it may be deploying.
    orphanedItemStrategy {
        discardOldItems {
            daysToKeep(14)
            numToKeep(50)
        }
    }
}
