# The comparison with nginx, which serves the same bytes from a file.

PAIRS=5
# Seconds of load before it is the other's turn: what else the machine does changes more slowly, so it weighs on both.
TURN=2

need_nginx() {
  NGINX=$(type -P nginx || true)
  [[ -n $NGINX || ! -x /usr/sbin/nginx ]] || NGINX=/usr/sbin/nginx
  [[ -n $NGINX ]] || refuse "compare-nginx needs nginx. On Debian:" "  sudo apt-get install nginx-light"
  type -P setsid >/dev/null || refuse "compare-nginx needs setsid, of util-linux"
}

# The bench has the same server beside it.
nginx_conf() {
  sed -e "s/@PORT@/$1/" -e "s/@CONNECTIONS@/$((WORKERS + 64))/" "$HERE/nginx.conf"
}

# Sets NGINX_PORT. It runs until the script ends. It gets a session of its own, as the service has: Linux shares the cores
# among sessions first, and a server in the generator's is woken sooner (measured on two busy cores: a third of the p99).
start_nginx() {
  local folder=$WORK/nginx pid tries=20 looks
  mkdir "$folder"
  # Started by root, the worker is another user.
  chmod a+x "$WORK" "$folder"
  cp "$WORK/order" "$folder/order.json"
  chmod a+r "$folder/order.json"
  while ((tries--)); do
    NGINX_PORT=$((20000 + RANDOM % 12000))
    # Something listens there already.
    if (exec 3<>"/dev/tcp/127.0.0.1/$NGINX_PORT") 2>/dev/null; then continue; fi
    nginx_conf "$NGINX_PORT" >"$folder/nginx.conf"
    setsid "$NGINX" -p "$folder" -c "$folder/nginx.conf" -e "$folder/nginx.log" >/dev/null 2>&1 &
    pid=$!
    for ((looks = 0; looks < 200; looks++)); do
      kill -0 "$pid" 2>/dev/null || break
      # Whoever took the port in between would answer, too; then nginx has ended, or says so before it does.
      if fetch --fail "http://127.0.0.1:$NGINX_PORT/order" | cmp -s - "$WORK/order" && ! grep -q emerg "$folder/nginx.log"; then
        return
      fi
      sleep 0.05
    done
    kill "$pid" 2>/dev/null || true
  done
  cat "$folder/nginx.log" >&2
  refuse "nginx did not start: see above"
}

# compare_one SERVER PAIR: a report of all its turns; fails when not every request was answered
compare_one() {
  local name=compare-nginx/$1-$2
  report "$name" "$WORK/$name".*.bin
  rm "$WORK/$name".*.bin
  if [[ $(figure "$name" success) != 1 ]] || ! grep -q '"errors":\[\]' "$RESULTS/$name.json"; then
    FINDINGS=$((FINDINGS + 1))
    echo "errors in $name, so that pair $2 is left out: see $RESULTS/$name.txt"
    return 1
  fi
}

# Leaves a line a pair without errors in $WORK/pairs: its number, p50 and p99 of orderbox, p50 and p99 of nginx, in nanoseconds.
compare_nginx() {
  local pair turn seconds server orderbox nginx
  start_nginx
  mkdir "$WORK/compare-nginx" "$RESULTS/compare-nginx"
  printf 'GET %s\n' "$ORDER_URL" >"$RESULTS/compare-nginx/orderbox.targets"
  printf 'GET http://127.0.0.1:%s%s\n' "$NGINX_PORT" "${ORDER_URL#"$TARGET"}" >"$RESULTS/compare-nginx/nginx.targets"
  for ((pair = 1; pair <= PAIRS; pair++)); do
    for ((turn = 0; turn * TURN < DURATION; turn++)); do
      seconds=$((DURATION - turn * TURN < TURN ? DURATION - turn * TURN : TURN))
      # Who is first changes, too.
      for server in $( ((turn % 2)) && echo nginx orderbox || echo orderbox nginx); do
        attack "compare-nginx/$server-$pair.$turn" 10000 "$seconds" "$RESULTS/compare-nginx/$server.targets"
      done
    done
    compare_one orderbox "$pair" || continue
    compare_one nginx "$pair" || continue
    orderbox=compare-nginx/orderbox-$pair nginx=compare-nginx/nginx-$pair
    echo "$pair $(figure "$orderbox" 50th) $(figure "$orderbox" 99th) $(figure "$nginx" 50th) $(figure "$nginx" 99th)" \
      >>"$WORK/pairs"
    tail -n 1 "$WORK/pairs" | awk '{
      printf "compare-nginx %d: p50 %.3f and p99 %.3f ms, nginx %.3f and %.3f ms\n", $1, $2/1e6, $3/1e6, $4/1e6, $5/1e6 }'
  done
  [[ ! -s $WORK/pairs ]] || echo "p99 of orderbox over p99 of nginx, median of $(wc -l <"$WORK/pairs"): $(median_ratio)"
}

median_ratio() {
  awk '{ print $3 / $5 }' "$WORK/pairs" | sort -g | awk '{ ratio[NR] = $1 } END { printf "%.2f", ratio[int((NR + 1) / 2)] }'
}
