namespace Veredus.Spool;

/// <summary>Draws IDs for messages, batches and connections. Thread-safe; no ID comes twice, not after a restart and not when the clock is set back.</summary>
/// <param name="node">Node number, different on every node whose mail may meet.</param>
/// <param name="time">The wall clock for the slot.</param>
/// <param name="lastSlot">Highest slot that an earlier process may have used (<see cref="ISpool.LastSlot"/>); the first slot here is later.</param>
public sealed class MessageIdGenerator(ushort node, TimeProvider time, uint lastSlot)
{
    // Slot in the upper 32 bits, counter in the lower 16; the counter starts at 1, so 0 means "slot not begun".
    private ulong _last = (ulong)lastSlot << 32 | ushort.MaxValue;

    public ushort Node => node;

    /// <summary>Highest slot used so far.</summary>
    public uint LastSlot => (uint)(Volatile.Read(ref _last) >> 32);

    public MessageId Next()
    {
        var now = (uint)Math.Clamp(time.GetUtcNow().ToUnixTimeSeconds(), 0, uint.MaxValue);
        while (true)
        {
            var last = Volatile.Read(ref _last);
            var (slot, counter) = ((uint)(last >> 32), (ushort)last);
            var next = now > slot ? (ulong)now << 32 | 1
                : counter < ushort.MaxValue ? last + 1
                : (ulong)(slot + 1) << 32 | 1;
            if (Interlocked.CompareExchange(ref _last, next, last) == last)
                return new((uint)(next >> 32), node, (ushort)next);
        }
    }
}
