# What the scripts that run on a host share. Defined before: folder runs launches backend screen.
# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034 # defined by the lines put before, used by the lines put after
set -u

ok() {
    printf 'CHECK %s ok %s\n' "$1" "${2-}"
}

fail() {
    printf 'CHECK %s failed: %s\n' "$1" "${2//$'\n'/ }"
    failed=1
}

held() { # whether a live process holds the lock of this file
    [[ -e $1 ]] && ! flock -n -- "$1" true
}

jobs_named() { # numbers of this user's jobs of that name that the scheduler has not ended
    local found
    found=$(squeue --noheader --user="$(id -un)" --name="$1" --format=%F) || return 1
    # A site's wrapper may print words of its own.
    grep -Ex ' *[0-9]+ *' <<<"$found" | tr -d ' ' | sort -u
    return 0
}

sessions_named() { # lines of screen's list with exactly this name, dead ones too
    "$screen" -ls | awk -v name="$1" '{ at = index($1, "."); if (at && substr($1, at + 1) == name) print $1 }'
}

enter() { # go to the working folder; from then on `runs` is absolute
    cd -- "$folder" 2>/dev/null || return 1
    [[ $runs = /* ]] || runs=$PWD/$runs
}

at_work() { # tell whether a process is at work in the folder of the run, study or search $1
    held "$runs/$1/.lock" || held "$runs/studies/$1/.lock" || held "$runs/searches/$1/.lock"
}

who_lives() { # say what holds the run named $1, if anything does
    local jobs=
    if [[ $backend = slurm ]] && ! jobs=$(jobs_named "$1"); then
        echo "the scheduler does not answer"
    elif [[ -n $jobs ]]; then
        echo "job ${jobs//$'\n'/, } of $1 is queued or running"
    elif held "$runs/$launches/$1/lock"; then
        echo "a launch of $1 is running"
    elif at_work "$1"; then
        echo "another process is doing $1"
    fi
}
