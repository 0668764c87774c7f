"""What workers do in Redis, each as one atomic script (Redis 6.2).

All but RELEASE begin with KEYS 1 job stream, 2 failures and ARGV 1 group, 2 consumer, 3 job id,
and change nothing unless this consumer still holds the claim on the job.

A job ends in three steps: its result is stored and the job marked as done, its frame is freed on
the other server, the job is retired. A worker that dies between them leaves a job that the next
one takes over; the mark keeps it from storing twice.
"""

from monitor.store.counters import COUNT
from monitor.store.measures import KEEP_MADE_WITH

_CLAIM = """
local function claimed()
  local held = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[3], ARGV[3], 1)
  return held[1] ~= nil and held[1][2] == ARGV[2]
end
"""
_DONE = """
local function is_done() return redis.call('HGET', KEYS[2], ARGV[3]) == 'done' end
local function mark_done() redis.call('HSET', KEYS[2], ARGV[3], 'done') end
"""

#: Keep a claim: 1, or 0 if it is another's by now.
RENEW = f"""{_CLAIM}
if not claimed() then return 0 end
redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[3], 'JUSTID')
return 1
"""

#: Count a failure of a job: how many there were, 0 if it is another's by now.
FAIL = f"""{_CLAIM}{_DONE}
if not claimed() or is_done() then return 0 end
return redis.call('HINCRBY', KEYS[2], ARGV[3], 1)
"""

#: Retire a job whose frame was freed. Returns 1, or 0 if it is another's by now.
RETIRE = f"""{_CLAIM}
if not claimed() then return 0 end
redis.call('XACK', KEYS[1], ARGV[1], ARGV[3])
redis.call('XDEL', KEYS[1], ARGV[3])
redis.call('HDEL', KEYS[2], ARGV[3])
return 1
"""

# Keep parts of points whose network is spread over ranks. Behind the `at` first KEYS: 1 waiting
# points, 2 waiting rows, then the held parts and the settled calls of each part. A point waits from
# the arrival of shard 0, which alone knows its row; parts without it are kept for `unplaced_s`.
_KEEP_PARTS = """
local function keep_parts(parts, at, wait_s, unplaced_s)
  local clock = redis.call('TIME')
  local now = tonumber(clock[1]) + tonumber(clock[2]) / 1e6
  for i, part in ipairs(parts) do
    if redis.call('GETBIT', KEYS[at + 2 * i + 2], part.bit) == 0 then
      redis.call('HSET', KEYS[at + 2 * i + 1], part.index, part.data)
      if part.index == 0 then
        redis.call('ZADD', KEYS[at + 1], 'LT', now + wait_s, part.point)
        redis.call('ZADD', KEYS[at + 2], part.row, part.point)
      else
        redis.call('ZADD', KEYS[at + 1], 'NX', now + unplaced_s, part.point)
      end
    end
  end
end
"""

# Store a block and append its events; KEYS and ARGV as in FINISH.
_STORE = """
local job = cjson.decode(ARGV[4])
if redis.call('HEXISTS', KEYS[3], job.segment) == 0 then return 'deleted' end
local function number(field)
  return tonumber(redis.call('HGET', KEYS[4], job.segment .. ':' .. field) or '')
end
local function put(field, value)
  redis.call('HSET', KEYS[4], job.segment .. ':' .. field, value)
end
local function order(field)
  return tonumber(string.match(field, '^%d+'))
end
local rows_before = number(job.kind) or 0
local function keep(key, data)
  if data == '' then return end
  redis.call('HSET', key, job.artifact, data)
  if redis.call('HLEN', key) <= job.most_artifacts then return end
  local fields = redis.call('HKEYS', key)
  table.sort(fields, function(a, b) return order(a) < order(b) end)
  for i = 2, #fields / 2, 2 do redis.call('HDEL', key, fields[i]) end
end
for i, offset in ipairs(job.offsets) do
  redis.call('SETRANGE', KEYS[14 + i], offset, ARGV[6 + i])
end
for _, chunk in ipairs(job.chunks) do redis.call('HINCRBY', KEYS[13], chunk, 1) end
redis.call('HINCRBY', KEYS[13], job.all_chunks, 1)
if job.first_step < (number('first_step') or math.huge) then put('first_step', job.first_step) end
if job.rows >= (number(job.kind) or 0) then
  put(job.kind, job.rows)
  if job.kind == 'weights' or not number('weights') then
    put('last_step', job.last_step)
    put('last_time', job.last_time)
  end
  put('step:' .. job.kind, job.last_step)
  put('time:' .. job.kind, job.last_time)
end
for field, by in pairs(job.counts) do redis.call('HINCRBY', KEYS[4], field, by) end
for _, metric in ipairs(job.metrics) do
  local old = redis.call('HGET', KEYS[5], metric[1])
  if metric[2] >= (old and order(old) or -1) then
    redis.call('HSET', KEYS[5], metric[1], string.format('%.0f|', metric[2]) .. metric[3])
  end
end
for _, problem in ipairs(job.problems) do
  local old = redis.call('HGET', KEYS[6], problem.key)
  local all = old and cjson.decode(old) or {metric = problem.metric, status = problem.status,
    count = 0, first_step = problem.first_step}
  all.count = all.count + problem.count
  all.first_step = math.min(all.first_step, problem.first_step)
  all.last_step = problem.last_step
  all.reason = problem.reason
  redis.call('HSET', KEYS[6], problem.key, cjson.encode(all))
end
keep(KEYS[11], ARGV[5])
keep(KEYS[12], ARGV[6])
redis.call('DEL', KEYS[10])
for _, made in ipairs(job.made_with) do keep_made_with(KEYS[4], made) end
if job.event ~= '' then
  redis.call('XADD', KEYS[7], 'MAXLEN', '~', job.most_events, '*', 'event', 'points',
    'data', job.event)
  redis.call('XADD', KEYS[8], 'MAXLEN', '~', job.most_events, '*', 'event', 'points',
    'run', job.run, 'data', job.light_event)
end
if job.dead ~= '' then
  redis.call('XADD', KEYS[9], 'MAXLEN', '~', job.most_dead, '*', 'run', job.run, 'job', ARGV[3],
    'error', job.dead)
  count(KEYS[14], 'dead_letters:' .. job.kind, 1)
end
count(KEYS[14], 'pushes:' .. job.kind, math.max(0, job.rows - rows_before))
for field, by in pairs(job.counted) do count(KEYS[14], field, by) end
"""

#: Store a job's block, append its events, keep its parts of points, mark it as done.
#: KEYS 3 segments, 4 rows, 5 metrics, 6 problems, 7 events, 8 shard events, 9 dead letters,
#:   10 parts to delete, 11 grids, 12 modes, 13 edits, 14 counters, 15… columns, then as
#:   _KEEP_PARTS says
#: ARGV 4 JSON, 5 image grid, 6 mode histogram, 7… column bytes
#: Returns 'done', 'unclaimed' or 'deleted' (the run).
FINISH = f"""{_CLAIM}{_DONE}{_KEEP_PARTS}{COUNT}{KEEP_MADE_WITH}
if not claimed() then return 'unclaimed' end
if is_done() then return 'done' end
{_STORE}
keep_parts(job.parts, 14 + #job.offsets, job.wait_s, job.unplaced_s)
mark_done()
return 'done'
"""

#: Keep what a member (a rank other than 0) brought, and mark its job as done: it has no rows.
#: KEYS 3 segments, 4 rows, 5 dead letters, 6 counters, then as _KEEP_PARTS says · ARGV 4 JSON
#: Returns 'done', 'unclaimed' or 'deleted' (the run).
KEEP_SHARDS = f"""{_CLAIM}{_DONE}{_KEEP_PARTS}{COUNT}
if not claimed() then return 'unclaimed' end
if is_done() then return 'done' end
local job = cjson.decode(ARGV[4])
if redis.call('HEXISTS', KEYS[3], job.owner) == 0 then return 'deleted' end
keep_parts(job.parts, 6, job.wait_s, job.unplaced_s)
for field, by in pairs(job.counts) do redis.call('HINCRBY', KEYS[4], field, by) end
local rows = tonumber(redis.call('HGET', KEYS[4], job.member .. ':weights') or '0')
redis.call('HSET', KEYS[4], job.member .. ':weights', math.max(rows, job.rows))
if job.dead ~= '' then
  redis.call('XADD', KEYS[5], 'MAXLEN', '~', job.most_dead, '*', 'run', job.run, 'job', ARGV[3],
    'error', job.dead)
  count(KEYS[6], 'dead_letters:weights', 1)
end
mark_done()
return 'done'
"""

#: Store points whose parts are all there or have waited long enough, once whoever does it.
#: KEYS 1 waiting points, 2 waiting rows, 3… as in FINISH, then held parts and settled calls of each
#: ARGV 1 JSON of the points, 2 and 3 unused, 4… as in FINISH
#: Returns 'done', 'settled' (one of them was, by another worker) or 'deleted' (the run).
SETTLE = f"""{COUNT}{KEEP_MADE_WITH}
local points = cjson.decode(ARGV[1])
for _, point in ipairs(points) do
  if not redis.call('ZSCORE', KEYS[1], point.point) then return 'settled' end
end
{_STORE}
local at = 14 + #job.offsets
for i, point in ipairs(points) do
  redis.call('ZREM', KEYS[1], point.point)
  redis.call('ZREM', KEYS[2], point.point)
  redis.call('DEL', KEYS[at + 2 * i - 1])
  redis.call('SETBIT', KEYS[at + 2 * i], point.bit, 1)
end
return 'done'
"""

#: Forget parts of points that have no row, since shard 0 never came or the run is gone.
#: KEYS 1 waiting points, 2 segments, 3 rows, 4… held parts · ARGV points, as many
FORGET = """
local there = redis.call('EXISTS', KEYS[2]) == 1
for i, point in ipairs(ARGV) do
  local placed = there and redis.call('HEXISTS', KEYS[3 + i], 0) == 1
  if not placed and redis.call('ZREM', KEYS[1], point) == 1 then
    if there then
      redis.call('HINCRBY', KEYS[3], 'worker_lost_parts', redis.call('HLEN', KEYS[3 + i]))
    end
    redis.call('DEL', KEYS[3 + i])
  end
end
"""

#: Keep a partial result of a sample batch; whoever brings the last missing one gets them all and
#: still has to finish, everybody else is done.
#: KEYS 3 segments, 4 parts · ARGV 4 segment, 5 part, 6 result, 7 last (0/1), 8 time to live s
#: Returns {'unclaimed'}, {'deleted'}, {'stored'} or {'complete', result of each part…}.
KEEP_PART = f"""{_CLAIM}{_DONE}
if not claimed() then return {{'unclaimed'}} end
if is_done() then return {{'stored'}} end
if redis.call('HEXISTS', KEYS[3], ARGV[4]) == 0 then return {{'deleted'}} end
redis.call('HSET', KEYS[4], ARGV[5], ARGV[6])
if ARGV[7] == '1' then redis.call('HSET', KEYS[4], 'last', ARGV[5]) end
redis.call('EXPIRE', KEYS[4], ARGV[8])
local last = tonumber(redis.call('HGET', KEYS[4], 'last') or '')
if last and redis.call('HLEN', KEYS[4]) == last + 2 then
  local complete = {{'complete'}}
  for part = 0, last do complete[part + 2] = redis.call('HGET', KEYS[4], part) end
  return complete
end
mark_done()
return {{'stored'}}
"""

#: Give the bytes of a processed frame back to its run's budget.
#: KEYS outstanding, counter, blob · ARGV member. Doing it twice changes nothing.
RELEASE = """
redis.call('UNLINK', KEYS[3])
if redis.call('ZREM', KEYS[1], ARGV[1]) == 1 then
  redis.call('DECRBY', KEYS[2], string.match(ARGV[1], '|(%d+)$'))
end
"""
