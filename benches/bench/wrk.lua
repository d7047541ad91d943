-- What wrk asks for, and what it says in the end. UID_FILE names a file with the uid of an order in each line, asked for in
-- random order; without it wrk asks for the URL it was given, again and again.
local file = os.getenv("UID_FILE")
if file then
  local requests = {}
  function init()
    for uid in io.lines(file) do
      requests[#requests + 1] = wrk.format("GET", "/order?order_uid=" .. uid)
    end
  end
  function request()
    return requests[math.random(#requests)]
  end
end

-- Requests, microseconds, p99 in microseconds, and how many were not answered with success.
function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format("done %d %d %d %d\n", summary.requests, summary.duration, latency:percentile(99), failed))
end
