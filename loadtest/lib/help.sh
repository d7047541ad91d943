# What `run.sh --help` prints.

# Prints the help.
print_help() {
  cat <<'END'
Load tests of a running orderbox with vegeta

Usage: loadtest/run.sh [OPTIONS]

  --target URL         the service: http://HOST:PORT, and nothing else is asked
                       [default: http://127.0.0.1:8080]
  --uid UID            the order that the runs on one order read [default: the sample order]
  --only RUN,RUN…      some of the runs: 5 10 1000 10000 100000 10000-short mix compare-nginx
                       [default: all but compare-nginx]
  --compare-nginx      the runs, and after them the comparison with nginx
  --duration SECONDS   length of a run; 10000-short stays at 1 s [default: 10]
  --publish RATE       orders published a second while it is read; 0 for none
                       [default: 200 where the binary orderbox is found, else 0]
  --publish-to URL     where to: http://HOST:PORT, or stan://HOST:4222/CLUSTER/CHANNEL that the service reads
                       [default: the target]
  --workers N          requests on their way at most, each on a connection that is kept [default: 64]
  --results DIR        where the folder of this run is made [default: loadtest/results]
  --draw DIR           only draw the pictures of a folder of results again
  --help               this text

The runs
  5 10 1000 10000 100000   requests a second for the same order, as the Go predecessor (wb-web) was measured
  10000-short              10,000 a second for 1 s
  mix                      2,000 a second: of ten requests seven go over 700 orders, two to orders that do not exist,
                           one to the page. A 404 for those two is the right answer and counts as success.
  compare-nginx            the same order from orderbox and from a file in an nginx that this script starts and ends
                           (one worker, a free port), 10,000 a second, five times, in turns of 2 s, with nothing published. Start the
                           service in a terminal (a session) of its own: Linux shares busy cores among sessions first

All but compare-nginx run with the publishing load beside them. It writes to the service: made-up orders, and 700 for the
mix whose uids begin with loadtest-, the same in every run. `--publish 0` writes nothing; the mix then reads the one order
only. Over HTTP a service on another host, or in another container, needs PUBLISH_TOKEN in the environment.

Results: DIR/<date and time, UTC>/ with summary.md, for each run what vegeta reports as text, JSON and HDR percentiles and
the latencies over time as a table, the targets, and two pictures drawn by gnuplot (three after a comparison).

Environment
  PUBLISH_TOKEN   the token that lets orderbox publish; it is never printed
  ORDERBOX        the binary that publishes [default: target/release/orderbox of this checkout, then the PATH]
  VEGETA          the load generator [default: from the PATH, then ~/go/bin]

Exits 0 when every run had 100 % success and no error, 1 when one had not, 2 when it could not begin, 130 after Ctrl-C.
What was measured until then is kept. Needs bash, curl, awk and vegeta; gnuplot for the pictures, nginx for compare-nginx.

  loadtest/run.sh --only 1000,mix --duration 2
  loadtest/run.sh --target http://10.0.0.5:8080 --publish 0
END
}
