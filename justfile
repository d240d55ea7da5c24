# `just` lists what there is; every recipe is a step of .ci/run, which holds the commands.

[private]
default:
    @just --list --unsorted

# everything CI does
ci:
    bash .ci/run

# the checks that take seconds once built
quick:
    bash .ci/run fmt clippy test

# one or more steps of CI, by name (`just step --list` names them)
step *names:
    bash .ci/run {{names}}

# the runner against recorded GitHub answers and a Docker registry
real:
    bash .ci/run real

# every fuzz target for some seconds each (needs cargo-fuzz)
fuzz seconds="300":
    bash fuzz/run {{seconds}}
