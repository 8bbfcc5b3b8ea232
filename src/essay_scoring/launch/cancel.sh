# Ends a launch, after host.sh, and waits until it has ended. Argument: RUN.
# shellcheck shell=bash
# shellcheck disable=SC2154 # defined by the lines put before

still_there() {
    if [[ $backend = slurm ]]; then
        local left
        left=$(jobs_named "$run") || return 0
        [[ -n $left ]] || at_work "$run"
    else
        held "$launch/lock" || held "$runs/$run/.lock"
    fi
}

main() {
    local job tries
    run=$1
    enter || { echo "REFUSED cancel there is no folder $folder" && return 0; }
    launch=$runs/$launches/$run
    [[ -d $launch ]] || { echo "REFUSED cancel there is no launch of $run" && return 0; }
    still_there || { echo "CANCELLED nothing was running" && return 0; }
    if [[ $backend = slurm ]]; then
        for job in $(jobs_named "$run"); do
            scancel -- "$job" 2>/dev/null || echo "job $job is not to be cancelled" >&2
        done
    elif held "$launch/lock"; then
        kill -TERM "$(cat -- "$launch/driver")"
    elif [[ -f $launch/pid ]]; then
        # The driver is gone but what it drove lives on. Its number may belong to another by now.
        # shellcheck disable=SC2016 # the inner shell is the one to expand it
        "${entry[@]}" sh -c 'grep -q essay_scoring "/proc/$0/cmdline" && kill -TERM "$0"' "$(cat -- "$launch/pid")"
    fi
    for ((tries = 0; tries < 120; tries++)); do
        still_there || { echo "CANCELLED it has ended" && return 0; }
        sleep 0.5
    done
    echo "REFUSED cancel it has not ended within 60 s"
}
