#!/bin/bash
# server_nginx.sh - nginx, master and workers: clients keep their connections, a download
# in the middle goes on, over an image and a move; and it can be reloaded then.
. "$top_srcdir/tests/scenario/server_common.sh"
needs nginx
segment

mkdir -p www tmp && chmod 755 . www
head -c 30000000 /dev/urandom > www/large
seq 1 20000 > www/numbers
cat > nginx.conf <<X
user www-data;
worker_processes 2;
pid $dir/nginx.pid;
error_log $dir/error.log notice;
daemon off;
events { worker_connections 256; }
http {
    access_log $dir/access.log;
    keepalive_requests 1000000;
    client_body_temp_path $dir/tmp/body; proxy_temp_path $dir/tmp/proxy;
    fastcgi_temp_path $dir/tmp/fastcgi; uwsgi_temp_path $dir/tmp/uwsgi;
    scgi_temp_path $dir/tmp/scgi;
    limit_req_zone \$server_port zone=all:1m rate=100000r/s;
    server {
        listen 10.79.0.100:8080;
        listen [fd79::100]:8080;
        root $dir/www;
        location / { limit_req zone=all burst=1000 nodelay; }
    }
}
X
setsid nginx -c "$dir/nginx.conf" -e "$dir/error.log" > nginx.out 2>&1 < /dev/null &
pid=$!
disown $pid
await "nginx" sh -c "ss -Hltn sport = :8080 | grep -q ."

peer /usr/bin/python3 "$top_srcdir/tests/scenario/http_client.py" 10.79.0.100 fd79::100 \
    8080 12 "$dir/www" "$dir/client" > client.out 2> client.err &
client=$!
await "clients" test -e client.ready
"$sockmig" inspect "$pid" > inspect.out || fail "inspect: $(cat inspect.out)"
workers=$(pgrep -P "$pid" | sort | tr '\n' ' ')
for round in 1 2; do
    through_image $round
    go_on "after round $round"
    [ "$(pgrep -P "$pid" | sort | tr '\n' ' ')" = "$workers" ] || fail "its workers"
done
to_b
go_on "after the move"
touch client.stop
wait $client || fail "clients: $(cat client.out client.err)"
cat client.out
echo changed > www/changed
on_b kill -HUP "$pid"
has_new_workers()
{
    [ "$(on_b pgrep -P "$pid" | sort | tr '\n' ' ')" != "$workers" ] &&
        [ "$(on_b pgrep -P "$pid" | wc -l)" -ge 2 ]
}
await "new workers" has_new_workers
await "an answer of a new worker" peer /usr/bin/python3 -c "
import urllib.request
assert urllib.request.urlopen('http://10.79.0.100:8080/changed').read() == b'changed\n'"
on_b kill -QUIT "$pid"
await "its end" on_b test ! -e "/proc/$pid"
grep -E '\[(alert|emerg|crit)\]' error.log && fail "nginx complains"
echo PASS
