# Tells what is known of a launch, after host.sh: facts alone, which the launching side draws the state from.
# Argument: RUN.
# shellcheck shell=bash
# shellcheck disable=SC2154 # defined by the lines put before

told() { # told NAME PATH: the first line of a file, if it is there
    if [[ -f $2 ]]; then printf 'SEEN %s %s\n' "$1" "$(head -n 1 -- "$2")"; fi
}

main() {
    local launch name job part
    run=$1
    enter || { echo "SEEN absent the folder $folder" && return 0; }
    launch=$runs/$launches/$run
    [[ -d $launch ]] || { echo "SEEN absent a launch of $run" && return 0; }
    echo "SEEN now $(date +%s)"
    told backend "$launch/backend"
    told code "$launch/exit_code"
    told reason "$launch/reason"
    told heartbeat "$launch/heartbeat"
    told canary "$launch/canary/exit_code"
    told canary_reason "$launch/canary/reason"
    for part in "$launch"/parts/*/; do
        part=${part%/}
        told "part ${part##*/}" "$part/exit_code"
    done
    if [[ -f $launch/graph ]]; then
        sed 's/^/SEEN step /' "$launch/graph"
        for part in "$launch"/steps/*/exit_code "$launch"/steps/*/*/exit_code; do
            part=${part#"$launch/steps/"}
            part=${part%/exit_code}
            told "task ${part/\// }" "$launch/steps/$part/exit_code"
        done
    fi
    # The scheduler knows best; and a look at a lock holds it for a moment, which is to be rare.
    if [[ ! -f $launch/jobs && $backend != slurm ]]; then
        if held "$launch/lock"; then
            echo "SEEN driver held"
        elif held "$runs/$run/.lock"; then
            echo "SEEN worker held"
        fi
    fi
    for part in "" studies/ searches/; do
        if [[ -f $runs/$part$run/manifest.json ]]; then echo "SEEN manifest $part$run"; fi
    done
    if [[ -f $launch/jobs || $backend = slurm ]]; then
        if [[ -f $launch/jobs ]]; then
            while read -r name job; do
                echo "SEEN job $name $job"
            done <"$launch/jobs"
        else
            # A launch that was cut off has told no numbers; its jobs bear the run's name.
            for job in $(jobs_named "$run"); do echo "SEEN job unfinished-launch-$job $job"; done
        fi
        if squeue --noheader --states=all --array --user="$(id -un)" --format='SEEN queue %F %T %r'; then
            echo "SEEN scheduler answers"
        fi
    fi
    echo "SEEN all"
}
