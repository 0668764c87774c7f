"""What workers and the watch do in Redis, each as one atomic script (Redis 6.2)."""

#: Does this consumer still hold the claim on a job? Shared by the scripts below.
_CLAIM = """
local function claimed(stream, group, consumer, id)
  local held = redis.call('XPENDING', stream, group, id, id, 1)
  return held[1] ~= nil and held[1][2] == consumer
end
local function retire(stream, group, id, failures)
  redis.call('XACK', stream, group, id)
  redis.call('XDEL', stream, id)
  redis.call('HDEL', failures, id)
end
"""

#: Finish a job: store its block, append its events, acknowledge it; or refuse, changing nothing.
#: KEYS 1 segments, 2 job stream, 3 failures, 4 rows, 5 metrics, 6 problems, 7 events,
#:   8 shard events, 9 dead letters, 10 parts to delete, 11 grids, 12 modes, 13… columns
#: ARGV 1 group, 2 consumer, 3 job id, 4 JSON, 5 image grid, 6 mode histogram, 7… column bytes
#: Returns 'done', 'unclaimed' or 'deleted' (then the job is retired and nothing is stored).
FINISH = (
    _CLAIM
    + """
if not claimed(KEYS[2], ARGV[1], ARGV[2], ARGV[3]) then return 'unclaimed' end
local job = cjson.decode(ARGV[4])
if redis.call('HEXISTS', KEYS[1], job.segment) == 0 then
  retire(KEYS[2], ARGV[1], ARGV[3], KEYS[3])
  return 'deleted'
end
for i, offset in ipairs(job.offsets) do
  redis.call('SETRANGE', KEYS[12 + i], offset, ARGV[6 + i])
end
local function number(field)
  return tonumber(redis.call('HGET', KEYS[4], job.segment .. ':' .. field) or '')
end
local function put(field, value)
  redis.call('HSET', KEYS[4], job.segment .. ':' .. field, value)
end
if job.rows > (number(job.kind) or 0) then put(job.kind, job.rows) end
if job.first_step < (number('first_step') or math.huge) then put('first_step', job.first_step) end
if job.rows >= (number(job.kind) or 0) then
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
  local order = old and tonumber(string.match(old, '^(%d+)|')) or -1
  if metric[2] >= order then
    redis.call('HSET', KEYS[5], metric[1], string.format('%.0f|', metric[2]) .. metric[3])
  end
end
for _, problem in ipairs(job.problems) do
  local old = redis.call('HGET', KEYS[6], problem.key)
  local all = old and cjson.decode(old) or {metric = problem.metric, status = problem.status,
    count = 0, first_step = problem.first_step}
  all.count = all.count + problem.count
  all.last_step = problem.last_step
  all.reason = problem.reason
  redis.call('HSET', KEYS[6], problem.key, cjson.encode(all))
end
if ARGV[5] ~= '' then redis.call('HSET', KEYS[11], job.artifact, ARGV[5]) end
if ARGV[6] ~= '' then redis.call('HSET', KEYS[12], job.artifact, ARGV[6]) end
redis.call('DEL', KEYS[10])
if job.provenance ~= '' then redis.call('HSET', KEYS[4], 'provenance', job.provenance) end
if job.event ~= '' then
  redis.call('XADD', KEYS[7], 'MAXLEN', '~', job.most_events, '*', 'event', 'points',
    'data', job.event)
  redis.call('XADD', KEYS[8], 'MAXLEN', '~', job.most_events, '*', 'event', 'points',
    'run', job.run, 'data', job.light_event)
end
if job.dead ~= '' then redis.call('XADD', KEYS[9], '*', 'run', job.run, 'job', job.dead) end
retire(KEYS[2], ARGV[1], ARGV[3], KEYS[3])
return 'done'
"""
)

#: Keep a partial result of a sample batch; whoever brings the last missing one gets them all and
#: still holds the job, everybody else is done with it.
#: KEYS 1 segments, 2 job stream, 3 failures, 4 parts
#: ARGV 1 group, 2 consumer, 3 job id, 4 segment, 5 part, 6 result, 7 last (0/1), 8 time to live s
#: Returns {'unclaimed'}, {'deleted'}, {'stored'} or {'complete', result of each part…}.
KEEP_PART = (
    _CLAIM
    + """
if not claimed(KEYS[2], ARGV[1], ARGV[2], ARGV[3]) then return {'unclaimed'} end
if redis.call('HEXISTS', KEYS[1], ARGV[4]) == 0 then
  retire(KEYS[2], ARGV[1], ARGV[3], KEYS[3])
  return {'deleted'}
end
redis.call('HSET', KEYS[4], ARGV[5], ARGV[6])
if ARGV[7] == '1' then redis.call('HSET', KEYS[4], 'last', ARGV[5]) end
redis.call('EXPIRE', KEYS[4], ARGV[8])
local last = tonumber(redis.call('HGET', KEYS[4], 'last') or '')
if last and redis.call('HLEN', KEYS[4]) == last + 2 then
  local complete = {'complete'}
  for part = 0, last do complete[part + 2] = redis.call('HGET', KEYS[4], part) end
  return complete
end
retire(KEYS[2], ARGV[1], ARGV[3], KEYS[3])
return {'stored'}
"""
)

#: Give the bytes of a processed frame back to its run's budget.
#: KEYS outstanding, counter, blob · ARGV member. Doing it twice changes nothing.
RELEASE = """
redis.call('UNLINK', KEYS[3])
if redis.call('ZREM', KEYS[1], ARGV[1]) == 1 then
  redis.call('DECRBY', KEYS[2], string.match(ARGV[1], '|(%d+)$'))
end
"""

#: Take or renew the lease on watching a shard.
#: KEYS lease, fence · ARGV owner, time to live ms. Returns the fencing number, 0 if another holds.
LEASE = """
local held = redis.call('GET', KEYS[1])
if held then
  local owner, fence = string.match(held, '^(.*)|(%d+)$')
  if owner ~= ARGV[1] then return 0 end
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return tonumber(fence)
end
local fence = redis.call('INCR', KEYS[2])
redis.call('SET', KEYS[1], ARGV[1] .. '|' .. fence, 'PX', ARGV[2])
return fence
"""

#: Store what the watch saw of one run: its state, and alerts that are new, with their events.
#: KEYS 1 lease, 2 segments, 3 watch, 4 alerts, 5 events, 6 shard events
#: ARGV 1 lease value, 2 run, 3 state, 4 most events, then pairs alert id, alert JSON
#: Returns 'stored', 'lost' (another holds the lease) or 'deleted'.
COMMIT_WATCH = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 'lost' end
if redis.call('EXISTS', KEYS[2]) == 0 then return 'deleted' end
redis.call('HSET', KEYS[3], 'state', ARGV[3])
for i = 5, #ARGV, 2 do
  if redis.call('HSETNX', KEYS[4], ARGV[i], ARGV[i + 1]) == 1 then
    for _, stream in ipairs({KEYS[5], KEYS[6]}) do
      redis.call('XADD', stream, 'MAXLEN', '~', ARGV[4], '*', 'event', 'alert', 'run', ARGV[2],
        'data', ARGV[i + 1])
    end
  end
end
return 'stored'
"""
