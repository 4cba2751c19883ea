"""Every order in which several builds of one branch can run: which of them are cancelled, and when.

Models the milestone and lock steps after their plugins: a build that passes a milestone cancels every
older build that has passed none or a lower one, and one that ends cancels the older builds that have
come no further (MilestoneStepExecution.getBuildsToCancel of the pipeline-milestone-step plugin).
"""

import dataclasses

FIRST_FIXED_MILESTONE = 1000000
# What may not be cut off in its middle, as far as its first word says; a look at the version may.
BINDING = ("ci/release", "ci/deploy", "ci/regress")
HARMLESS = "ci/release --check"


class Unsafe(Exception):
    """An order of events in which the pipeline breaks a promise."""


@dataclasses.dataclass(frozen=True)
class State:
    position: tuple  # how many of its operations each build has done
    alive: tuple
    in_qa: int | None = None  # the build whose version QA has
    in_prod: int | None = None


def operations(build):
    """What matters of a simulated build, in order: its milestones, locks and commands."""
    found = []
    for event in build.trace:
        if event.get("event") in ("locked", "unlocked"):
            found.append((event["event"], event["resource"]))
        elif event.get("step") == "milestone":
            found.append(("milestone", int(event["arguments"]["ordinal"])))
        elif event.get("step") == "sh":
            command = event["arguments"]["script"]
            found += [("begin", command), ("end", command)]
    return found


def explore(done, builds):
    """Tries every order of `builds` builds that each do the same operations, each of which may also
    fail after any of its commands. Returns the number of states seen; raises Unsafe."""
    order = Order(done)
    seen = set()
    waiting = [State((0,) * builds, (True,) * builds)]
    while waiting:
        state = waiting.pop()
        if state not in seen:
            seen.add(state)
            for build in range(builds):
                waiting += order.next_states(state, build)
    return len(seen)


class Order:
    def __init__(self, done):
        self.operations = done

    def next_states(self, state, build):
        # Builds start in their numbers' order.
        if not state.alive[build] or (build and state.position[build - 1] == 0 and state.alive[build - 1]):
            return
        position = state.position[build]
        if position == len(self.operations):
            yield self.end(state, build)
            return
        kind, value = self.operations[position]
        if kind == "locked" and any(self.holds(state, other, value) for other in self.others(state, build)):
            return
        after = self.moved(state, build)
        if kind == "milestone":
            after = self.pass_milestone(after, build, self.ordinal(build, value))
        elif kind == "begin":
            after = self.begin(after, build, value)
        yield after
        if kind == "end":
            yield self.end(after, build)

    def begin(self, state, build, command):
        if command == "ci/deploy qa":
            if state.in_qa is not None and state.in_qa > build:
                raise Unsafe(f"build {build} deploys to QA after the newer {state.in_qa}")
            return dataclasses.replace(state, in_qa=build)
        if command == "ci/deploy prod":
            if state.in_prod is not None and state.in_prod > build:
                raise Unsafe(f"build {build} deploys to PROD after the newer {state.in_prod}")
            return dataclasses.replace(state, in_prod=build)
        if command == "ci/deploy prod --smoke-only" and state.in_prod != build:
            raise Unsafe(f"build {build} tries in PROD what build {state.in_prod} has deployed")
        if command == "ci/regress qa" and state.in_qa != build:
            raise Unsafe(f"build {build} tests in QA what build {state.in_qa} has deployed")
        return state

    def pass_milestone(self, state, build, ordinal):
        for other in self.others(state, build):
            reached = self.milestone(state, other)
            if other < build and (reached is None or reached < ordinal):
                state = self.cancel(state, other, build)
            elif other > build and reached is not None and reached >= ordinal:
                return self.cancel(state, build, other)
        return state

    def end(self, state, build):
        reached = self.milestone(state, build)
        state = self.dead(state, build)
        if reached is not None:
            for other in self.others(state, build):
                theirs = self.milestone(state, other)
                if other < build and (theirs is None or theirs <= reached):
                    state = self.cancel(state, other, build)
        return state

    def cancel(self, state, build, because):
        position = state.position[build]
        kind, command = self.operations[position - 1] if position else ("", "")
        if kind == "begin" and command != HARMLESS and command.split()[0] in BINDING:
            raise Unsafe(f"build {because} cancels build {build} while '{command}' runs")
        return self.dead(state, build)

    def holds(self, state, build, resource):
        past = self.operations[:state.position[build]]
        return past.count(("locked", resource)) > past.count(("unlocked", resource))

    def milestone(self, state, build):
        passed = [value for kind, value in self.operations[:state.position[build]] if kind == "milestone"]
        return self.ordinal(build, passed[-1]) if passed else None

    @staticmethod
    def ordinal(build, value):
        """The lower ordinals are the build's number."""
        return value if value >= FIRST_FIXED_MILESTONE else build + 1

    @staticmethod
    def others(state, build):
        return [other for other, alive in enumerate(state.alive) if alive and other != build]

    @staticmethod
    def moved(state, build):
        position = state.position[:build] + (state.position[build] + 1,) + state.position[build + 1:]
        return dataclasses.replace(state, position=position)

    @staticmethod
    def dead(state, build):
        return dataclasses.replace(state, alive=state.alive[:build] + (False,) + state.alive[build + 1:])
