using System.Runtime.InteropServices;
using static System.Buffers.Binary.BinaryPrimitives;

namespace Veredus.Spool;

/// <summary>
/// The messages whose octets are with another host at this moment: told whole, and the answer or its record on the disk still missing. They stand in
/// memory that a file of the spool shares, so a mark costs two stores, and what a killed process leaves is there for the next one. Nothing is synced:
/// a power cut may lose marks, and may bring ended ones back.
/// </summary>
/// <remarks>0 magic "VHOM" u32 · 4 version 1 u32 · 8 slots u32 · 64 slots of 16 octets: message ID u64, 0 = free · since i64, Unix ms.</remarks>
internal sealed class HandOverMarks : IDisposable
{
    public const string Name = "handover.marks";

    private const uint Magic = 0x4D4F4856, Version = 1;
    private const int HeaderBytes = 64, SlotBytes = 16;

    /// <summary>More than deliveries and unsynced removals there can be together on one node; a message beyond is not marked.</summary>
    private const int Slots = 1 << 16;

    private readonly Lock _gate = new();
    private readonly IDiskMap _map;
    private readonly Dictionary<ulong, int> _slotOf = [];
    private readonly Stack<int> _free = [];
    private readonly List<ulong> _found = [];

    private HandOverMarks(IDiskMap map)
    {
        _map = map;
        var octets = map.Octets;
        if (ReadUInt32LittleEndian(octets) != Magic || ReadUInt32LittleEndian(octets[4..]) != Version || ReadUInt32LittleEndian(octets[8..]) != Slots)
        {
            octets.Clear();
            WriteUInt32LittleEndian(octets, Magic);
            WriteUInt32LittleEndian(octets[4..], Version);
            WriteUInt32LittleEndian(octets[8..], Slots);
        }
        for (var slot = Slots - 1; slot >= 0; slot--)
        {
            if (ReadUInt64LittleEndian(At(slot)) is not 0 and var id && _slotOf.TryAdd(id, slot))
            {
                _found.Add(id);
                continue;
            }
            At(slot).Clear();
            _free.Push(slot);
        }
    }

    /// <summary>Opens the marks of a spool, with those that an earlier process left.</summary>
    /// <returns><see langword="null"/>: there is no room for the file, or the disk has no shared memory; nothing is marked then.</returns>
    public static HandOverMarks? Open(IDisk disk, string spoolBase, Action<string>? notice)
    {
        try
        {
            return disk.Map(Path.Combine(spoolBase, Name), HeaderBytes + Slots * SlotBytes) is { } map ? new(map) : null;
        }
        catch (DiskException e)
        {
            notice?.Invoke($"spool: {e.Message} Deliveries that a kill cuts off are not listed as in doubt until a restart.");
            return null;
        }
    }

    /// <summary>Since when a message is marked, Unix milliseconds; <see langword="null"/>: it is not.</summary>
    public long? Since(MessageId id)
    {
        lock (_gate)
            return _slotOf.TryGetValue(id.Value, out var slot) ? ReadInt64LittleEndian(At(slot)[8..]) : null;
    }

    public void Begin(MessageId id, long nowMs)
    {
        lock (_gate)
        {
            if (!_slotOf.TryGetValue(id.Value, out var slot))
            {
                if (!_free.TryPop(out slot))
                    return;
                _slotOf.Add(id.Value, slot);
            }
            var octets = At(slot);
            WriteInt64LittleEndian(octets[8..], nowMs);
            // Last, and in one store: a process that dies between the two leaves a free slot.
            Volatile.Write(ref MemoryMarshal.AsRef<ulong>(octets), id.Value);
        }
    }

    public void End(MessageId id)
    {
        lock (_gate)
        {
            if (!_slotOf.Remove(id.Value, out var slot))
                return;
            Volatile.Write(ref MemoryMarshal.AsRef<ulong>(At(slot)), 0);
            _free.Push(slot);
        }
    }

    /// <summary>Ends the marks of an earlier process whose messages are not in the spool any more.</summary>
    public void Sweep(Func<MessageId, bool> exists)
    {
        foreach (var id in _found)
        {
            if (!exists(new(id)))
                End(new(id));
        }
        _found.Clear();
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _slotOf.Clear();
            _free.Clear();
            _map.Dispose();
        }
    }

    private Span<byte> At(int slot) => _map.Octets.Slice(HeaderBytes + slot * SlotBytes, SlotBytes);
}
