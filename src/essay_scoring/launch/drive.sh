#!/usr/bin/env bash
# Runs one command to its end and records how it ended, so that this can be told without anyone having watched.
#
# Usage: drive.sh PLACE INSIDE LIMIT BEAT N ENTRY... COMMAND...
#   PLACE    folder for driver.log, heartbeat, reason and, last of all, exit_code; its lock is held meanwhile
#   INSIDE   the same folder as COMMAND sees it, which a container may mount elsewhere
#   LIMIT    seconds after which COMMAND is asked to stop; BEAT seconds between heartbeats
#   ENTRY... N words that put a command into its container
# As a task of a Slurm array it works in PLACE/<task> and adds `--part <task>` to the command.
# shellcheck disable=SC2317 # what a trap calls is reachable
set -u
readonly limit=$3 beat=$4 words=$5 grace=25
place=$1
inside=$2
shift 5
entry=("${@:1:words}")
shift "$words"
if [[ -n ${SLURM_ARRAY_TASK_ID-} ]]; then
    place=$place/$SLURM_ARRAY_TASK_ID
    inside=$inside/$SLURM_ARRAY_TASK_ID
    set -- "$@" --part "$SLURM_ARRAY_TASK_ID"
fi
mkdir -p -- "$place" || exit 2
echo "the log is $place/driver.log"
# The terminal of a screen session is kept open: screen ends a session whose terminal nobody has open.
exec 7>&1 >>"$place/driver.log" 2>&1 </dev/null
exec 9>>"$place/lock"
# Whoever asks how the launch stands holds the lock for a moment.
if ! flock -w 3 9; then
    echo "another driver works in $place"
    exit 5
fi

record() { # a file is whole or it is not there
    printf '%s\n' "$2" >"$place/.$1.new" && mv -f -- "$place/.$1.new" "$place/$1"
}

tell() { # send a signal to the command, whose number means something inside the container alone
    local pid
    pid=$(cat -- "$place/pid" 2>/dev/null) || return 1
    # shellcheck disable=SC2016 # the inner shell is the one to expand them
    "${entry[@]}" sh -c 'kill -"$0" "$1"' "$1" "$pid" 2>/dev/null
}

asked=
stop() { # ask the command to end, once, and remember why
    heard=1
    [[ -z $asked ]] || return 0
    asked=$SECONDS
    record reason "$1"
    tell TERM
}

on_beat() {
    heard=1
    record heartbeat "$(date +%s)"
    if [[ -z $asked ]]; then
        ((SECONDS < limit)) || stop "time limit of $limit s"
    elif ((SECONDS - asked >= grace)); then
        tell KILL
    else
        tell TERM
    fi
}

rm -f -- "$place/exit_code" "$place/reason" "$place/pid" "$place/ended"
record driver "$$"
trap 'stop "terminated"' TERM
trap 'stop "interrupted"' INT
trap 'stop "its session was closed"' HUP
trap on_beat USR1
record heartbeat "$(date +%s)"
echo "driver $$ starts at $(date -u +%FT%TZ)"

(
    # Caught and dropped: what is ignored would be so in the command too.
    trap : TERM INT HUP USR1
    # shellcheck disable=SC2016 # the inner shell is the one to expand them
    "${entry[@]}" sh -c 'echo "$$" >"$0" && exec "$@"' "$inside/pid" "$@"
    record ended "$?"
) 9>&- &
child=$!
(
    trap '' TERM INT HUP
    while sleep "$beat"; do kill -USR1 "$$" 2>/dev/null || exit 0; done
) >/dev/null 2>&1 7>&- 9>&- &
ticker=$!
disown "$ticker"

while :; do
    heard=
    wait "$child"
    code=$?
    # A signal ends `wait` too. One that comes as the child ends makes bash forget the end, and wait for ever after.
    if [[ -z $heard ]] || ! kill -0 "$child" 2>/dev/null; then break; fi
done
[[ ! -f $place/ended ]] || code=$(<"$place/ended")
trap '' TERM INT HUP USR1
kill -KILL "$ticker" 2>/dev/null
echo "driver $$ ends at $(date -u +%FT%TZ) with code $code"
record exit_code "$code"
exit "$code"
