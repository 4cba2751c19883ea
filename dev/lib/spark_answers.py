"""Answers questions about sizes with Apache Spark's own classes, run by the Python that has pyspark; see
dev/spark-answers.

A question is an object with its kind as `ask`; each kind is a function here. What Spark refuses is answered with
`refused`, Spark's words. Questions with `java` options have a JVM of their own, started with them."""

import itertools
import json
import os
import sys

from py4j.protocol import Py4JJavaError
from pyspark.java_gateway import launch_gateway

# What Kubernetes' steps want to know of any application.
KUBERNETES = {"spark.kubernetes.container.image": "image", "spark.driver.host": "localhost", "spark.app.name": "app",
              "spark.executor.cores": "1"}


def regions(gateway, question):
    """How a heap is divided; without `spark.testing.memory` the JVM's own."""
    manager = memory_manager(gateway.jvm, question)
    return {"heap": gateway.jvm.java.lang.Runtime.getRuntime().maxMemory(), "unified": manager.maxHeapMemory(),
            "storage": field(manager, "onHeapStorageRegionSize")}


def execution(gateway, question):
    """What each of so many tasks is given that asks for `bytes` when all are active, and for as much again."""
    manager = memory_manager(gateway.jvm, question)
    mode, tasks = gateway.jvm.org.apache.spark.memory.MemoryMode.ON_HEAP, range(1, question["tasks"] + 1)
    for task in tasks:
        manager.acquireExecutionMemory(1, task, mode)
    return {name: [manager.acquireExecutionMemory(question["bytes"] - already, task, mode) + already for task in tasks]
            for name, already in (("first", 1), ("again", 0))}


def memory_manager(jvm, question):
    conf = spark_conf(jvm, question)
    return jvm.org.apache.spark.memory.UnifiedMemoryManager.apply(conf, question.get("tasks", 1))


def kubernetes(gateway, question):
    """What pods of an executor and of a driver ask for, in Kubernetes' words."""
    jvm = gateway.jvm
    conf = spark_conf(jvm, question, KUBERNETES)
    k8s, none = jvm.org.apache.spark.deploy.k8s, instance(jvm.scala, "None$")
    executor_conf = k8s.KubernetesExecutorConf(conf, "app", "1", none, 0)
    secret = instance(jvm.org.apache.spark.internal.config, "package$").AUTH_SECRET_FILE()
    security = jvm.org.apache.spark.SecurityManager(conf, none, secret)
    executor = k8s.features.BasicExecutorFeatureStep(executor_conf, security, default_profile(jvm, conf))
    resource = (k8s.submit.PythonMainAppResource("main.py") if question.get("language") == "python"
                else k8s.submit.JavaMainAppResource(none))
    driver_conf = k8s.KubernetesDriverConf(conf, "app", resource, "Main", no_arguments(gateway), none,
                                           jvm.org.apache.spark.util.SystemClock())
    driver = k8s.features.BasicDriverFeatureStep(driver_conf)
    return {name: str(step.configurePod(k8s.SparkPod.initialPod()).container().getResources().getRequests().get("memory"))
            for name, step in (("executor", executor), ("driver", driver))}


def yarn(gateway, question):
    """What YARN is asked for, in MiB."""
    yarn = gateway.jvm.org.apache.spark.deploy.yarn
    client = yarn.Client(yarn.ClientArguments(no_arguments(gateway)), spark_conf(gateway.jvm, question), None)
    names = ("amMemory", "amMemoryOverhead", "executorMemoryOverhead")
    return {name: field(client, name) for name in names}


def yarn_grants(gateway, question):
    """What YARN's scheduler makes of a request, in MiB."""
    yarn = gateway.jvm.org.apache.hadoop.yarn
    resource = yarn.api.records.Resource.newInstance
    sizes = (resource(question[name], 1) for name in ("asked", "minimum", "maximum", "increment"))
    return yarn.util.resource.DefaultResourceCalculator().normalize(*sizes).getMemorySize()


KINDS = {kind.__name__: kind for kind in (regions, execution, kubernetes, yarn, yarn_grants)}


def spark_conf(jvm, question, more=None):
    conf = jvm.org.apache.spark.SparkConf(False)
    for name, value in {**(more or {}), **question.get("conf", {})}.items():
        conf.set(name, value)
    return conf


def default_profile(jvm, conf):
    profiles = instance(jvm.org.apache.spark.resource, "ResourceProfile$")
    profiles.clearDefaultProfile()
    return profiles.getOrCreateDefaultProfile(conf)


def no_arguments(gateway):
    return gateway.new_array(gateway.jvm.java.lang.String, 0)


def instance(package, name):
    """A Scala object."""
    return getattr(getattr(package, name), "MODULE$")


def field(value, name):
    found = value.getClass().getDeclaredField(name)
    found.setAccessible(True)
    return found.get(value)


def answer(gateway, question):
    try:
        return KINDS[question["ask"]](gateway, question)
    except Py4JJavaError as error:
        return {"refused": error.java_exception.getMessage()}


def main():
    questions = json.load(sys.stdin)
    answers = []
    for java, group in itertools.groupby(questions, lambda question: question.get("java", "")):
        os.environ["PYSPARK_SUBMIT_ARGS"] = f"{java} pyspark-shell"
        gateway = launch_gateway()
        try:
            answers.extend(answer(gateway, question) for question in group)
        finally:
            gateway.shutdown()
            gateway.proc.stdin.close()
            gateway.proc.wait()
    json.dump({"home": os.environ["SPARK_HOME"], "answers": answers}, sys.stdout)


if __name__ == "__main__":
    main()
