#!/bin/bash
# server_postgres.sh - postgres with its processes: a transaction that is open, a cursor
# that is read halfway and a session that waits for a lock go on over an image and a move.
# Its shared memory is of huge pages, if this host can set some aside.
. "$top_srcdir/tests/scenario/server_common.sh"
bin=$(ls -d /usr/lib/postgresql/*/bin 2> /dev/null | tail -1)
[ -n "$bin" ] && [ -x "$bin/initdb" ] || { echo "skipped: needs postgresql"; exit 77; }
needs psql
segment

user=$(id -u postgres 2> /dev/null || echo 65534)
as_server="setpriv --reuid=$user --regid=$user --clear-groups"
chmod 755 .
mkdir data socket && chown "$user:$user" data socket
(cd data && $as_server "$bin/initdb" -N -A trust -U postgres -D . > ../init.out 2>&1) ||
    fail "initdb: $(cat init.out)"
# pool BY: other tests change it at the same time.
pool()
{
    echo $(($(cat /proc/sys/vm/nr_hugepages) + $1)) > /proc/sys/vm/nr_hugepages
}
huge=off
trap 'pool -30' EXIT
pool 30 # more than twice its memory: it is at two places for a while
[ "$(awk '/HugePages_Free/ { print $2 }' /proc/meminfo)" -ge 30 ] && huge=on
echo "huge pages: $huge"
cat >> data/postgresql.conf <<X
huge_pages = $huge
listen_addresses = '10.79.0.100, fd79::100'
unix_socket_directories = '$dir/socket'
shared_buffers = 16MB
fsync = off
logging_collector = off
X
echo 'host all all all trust' >> data/pg_hba.conf
(cd data && exec setsid $as_server "$bin/postgres" -D . > ../postgres.out 2>&1 < /dev/null) &
await "postgres" "$bin/pg_isready" -h 10.79.0.100 -U postgres
pid=$(head -1 data/postmaster.pid)
disown

# session N HOST: a psql whose input is descriptor 10 + N and whose output is sN.out.
session()
{
    mkfifo "s$1"
    peer psql -qAt -h "$2" -U postgres -v ON_ERROR_STOP=1 -f - < "s$1" > "s$1.out" 2> "s$1.err" &
    eval "exec $((10 + $1))> s$1"
}
ask()
{
    echo "$2;" >&$((10 + $1))
}
# answer N TEXT: the last line of session N is TEXT.
answer()
{
    await "session $1: '$2' (has $(tail -1 "s$1.out"; cat "s$1.err"))" \
        sh -c "[ \"\$(tail -1 s$1.out)\" = '$2' ]"
}

session 1 10.79.0.100
session 2 fd79::100
session 3 10.79.0.100
ask 1 "create table t (n int primary key, x text); insert into t select i, 'row ' || i from generate_series(1, 5000) i"
ask 1 "begin; update t set x = 'mine' where n = 7; select x from t where n = 7"
answer 1 mine
ask 2 "begin; declare c cursor for select n from t order by n; move 999 in c; fetch 1 in c"
answer 2 1000
ask 3 "set lock_timeout = 0; select 'waits'; select x from t where n = 7 for update"
answer 3 waits
"$sockmig" inspect "$pid" > inspect.out || fail "inspect: $(cat inspect.out)"
for round in 1 2; do
    through_image $round
    ask 1 "update t set x = x || $round where n = 7; select x from t where n = 7"
    answer 1 "$(sed -n 's/$//p' <<< "mine$(seq -s '' 1 $round)")"
    ask 2 "fetch 1 in c"
    answer 2 $((1000 + round))
    answer 3 waits
done
rm -f data/core
to_b
ask 1 "update t set x = x || 3 where n = 7; select x from t where n = 7"
answer 1 mine123
ask 2 "fetch 1 in c"
answer 2 1003
ask 1 "commit; select 'committed'"
answer 1 committed
answer 3 mine123
session 4 10.79.0.100
ask 4 "set max_parallel_workers_per_gather = 2; set parallel_setup_cost = 0; set parallel_tuple_cost = 0; set min_parallel_table_scan_size = 0; select sum(n) from t"
answer 4 12502500
ask 4 "insert into t values (0, 'new'); checkpoint; select count(*) from t"
answer 4 5001
for n in 1 2 3 4; do
    ask $n "select 'bye'"
    answer $n bye
    eval "exec $((10 + n))>&-"
done
on_b kill -INT "$pid"
await "its end" on_b test ! -e "/proc/$pid"
grep -E 'PANIC|could not|WARNING|corrupt|terminated by signal' postgres.out &&
    fail "postgres complains"
grep -q 'database system is shut down' postgres.out || fail "it did not shut down"
echo PASS
