"""What the watch does in Redis, each as one atomic script (Redis 6.2)."""

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

#: Give the lease back if it is still ours. KEYS lease · ARGV lease value.
RELEASE_LEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
"""

#: Store what the watch saw of one run: its state, its status, and alerts that are new, with their
#: events.
#: KEYS 1 lease, 2 segments, 3 watch, 4 alerts, 5 events, 6 shard events
#: ARGV 1 lease value, 2 run, 3 state ('' leaves it), 4 status ('' leaves it), 5 its event,
#:   6 most events, then pairs alert id, alert JSON
#: Returns 'stored', 'lost' (another holds the lease) or 'deleted'.
COMMIT = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 'lost' end
if redis.call('EXISTS', KEYS[2]) == 0 then return 'deleted' end
local function tell(event, data)
  for _, stream in ipairs({KEYS[5], KEYS[6]}) do
    redis.call('XADD', stream, 'MAXLEN', '~', ARGV[6], '*', 'event', event, 'run', ARGV[2],
      'data', data)
  end
end
if ARGV[3] ~= '' then redis.call('HSET', KEYS[3], 'state', ARGV[3]) end
if ARGV[4] ~= '' and redis.call('HGET', KEYS[3], 'status') ~= ARGV[4] then
  redis.call('HSET', KEYS[3], 'status', ARGV[4])
  tell('status', ARGV[5])
end
for i = 7, #ARGV, 2 do
  if redis.call('HSETNX', KEYS[4], ARGV[i], ARGV[i + 1]) == 1 then tell('alert', ARGV[i + 1]) end
end
return 'stored'
"""
