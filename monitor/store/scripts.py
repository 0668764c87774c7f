"""What workers do in Redis, each as one atomic script (Redis 6.2).

All but RELEASE begin with KEYS 1 job stream, 2 failures and ARGV 1 group, 2 consumer, 3 job id,
and change nothing unless this consumer still holds the claim on the job.

A job ends in three steps: its result is stored and the job marked as done, its frame is freed on
the other server, the job is retired. A worker that dies between them leaves a job that the next
one takes over; the mark keeps it from storing twice.
"""

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

#: Store a job's block, append its events, mark it as done.
#: KEYS 3 segments, 4 rows, 5 metrics, 6 problems, 7 events, 8 shard events, 9 dead letters,
#:   10 parts to delete, 11 grids, 12 modes, 13… columns
#: ARGV 4 JSON, 5 image grid, 6 mode histogram, 7… column bytes
#: Returns 'done', 'unclaimed' or 'deleted' (the run).
FINISH = f"""{_CLAIM}{_DONE}
if not claimed() then return 'unclaimed' end
if is_done() then return 'done' end
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
local function keep(key, data)
  if data == '' then return end
  redis.call('HSET', key, job.artifact, data)
  if redis.call('HLEN', key) <= job.most_artifacts then return end
  local fields = redis.call('HKEYS', key)
  table.sort(fields, function(a, b) return order(a) < order(b) end)
  for i = 2, #fields / 2, 2 do redis.call('HDEL', key, fields[i]) end
end
for i, offset in ipairs(job.offsets) do
  redis.call('SETRANGE', KEYS[12 + i], offset, ARGV[6 + i])
end
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
  local all = old and cjson.decode(old) or {{metric = problem.metric, status = problem.status,
    count = 0, first_step = problem.first_step}}
  all.count = all.count + problem.count
  all.last_step = problem.last_step
  all.reason = problem.reason
  redis.call('HSET', KEYS[6], problem.key, cjson.encode(all))
end
keep(KEYS[11], ARGV[5])
keep(KEYS[12], ARGV[6])
redis.call('DEL', KEYS[10])
if job.provenance ~= '' then redis.call('HSET', KEYS[4], 'provenance', job.provenance) end
if job.event ~= '' then
  redis.call('XADD', KEYS[7], 'MAXLEN', '~', job.most_events, '*', 'event', 'points',
    'data', job.event)
  redis.call('XADD', KEYS[8], 'MAXLEN', '~', job.most_events, '*', 'event', 'points',
    'run', job.run, 'data', job.light_event)
end
if job.dead ~= '' then
  redis.call('XADD', KEYS[9], 'MAXLEN', '~', job.most_dead, '*', 'run', job.run, 'job', ARGV[3],
    'error', job.dead)
end
mark_done()
return 'done'
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
