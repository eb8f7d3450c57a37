#!/bin/bash
# server_session.sh - an ssh server with a session: a shell on a pseudo-terminal, vi open in
# it, over an image and a move; the client keeps typing.
. "$top_srcdir/tests/scenario/server_common.sh"
needs dropbear
needs dbclient
needs vi
segment

mkdir -p home/.ssh keys && chmod 700 home home/.ssh
dropbearkey -t ed25519 -f keys/host > keys/host.out 2>&1 || fail "dropbearkey"
dropbearkey -t ed25519 -f keys/client > keys/client.out 2>&1 || fail "dropbearkey"
grep '^ssh-ed25519' keys/client.out > home/.ssh/authorized_keys
chmod 600 home/.ssh/authorized_keys
sed "s|^\(root:[^:]*:0:0:[^:]*:\)[^:]*:.*|\1$dir/home:/bin/bash|" /etc/passwd > passwd
mount --bind passwd /etc/passwd || exit 1
on_b mount --bind "$dir/passwd" /etc/passwd || exit 1
echo "PS1='$ '; bind 'set enable-bracketed-paste off'" > home/.bashrc
cp home/.bashrc home/.profile
# a background job of a script ignores the first two
setsid env --default-signal=INT,QUIT dropbear -F -E -r keys/host -p 10.79.0.100:2222 -p '[fd79::100]:2222' -s \
    > dropbear.out 2>&1 < /dev/null &
pid=$!
disown $pid
await "dropbear" sh -c "ss -Hltn sport = :2222 | grep -q ."
peer /usr/bin/python3 "$top_srcdir/tests/scenario/ssh_typist.py" "$dir" \
    dbclient -y -y -t -i "$dir/keys/client" root@10.79.0.100/2222 > typist.out 2> typist.err &
client=$!
await "the session" test -e ready
"$sockmig" inspect "$pid" > inspect.out || fail "inspect: $(cat inspect.out)"

checked()
{
    rm -f result
    touch "$1"
    ALONE_AWAIT=25 await "$2: the typist's check" test -e result
    [ "$(cat result)" = ok ] || fail "$2: $(cat result)"
}
for round in 1 2; do
    through_image $round
    checked check "round $round"
done
to_b
checked check "after the move"
checked last "at last"
wait $client || fail "the client ended with $?"
[ ! -s typist.err ] || fail "the client says something"
on_b kill "$pid"
echo PASS
