namespace Veredus.Journal;

/// <summary>Octets <see cref="Start"/> (included) to <see cref="End"/> (excluded) of a segment that hold no trustworthy record.</summary>
public readonly record struct DamagedRange(long Start, long End)
{
    public long Length => End - Start;
}

/// <summary>Finds what can't be trusted in a segment (jlog-format section 14).</summary>
/// <remarks>
/// A record is trusted when it ends exactly at the end of the file or at another header. The C library also drops the record in front
/// of each damage; here it stays when what follows it is a torn tail shorter than a header, or a record that is sound but for its magic.
/// </remarks>
internal static class SegmentRepair
{
    public static List<DamagedRange> FindDamage(SegmentWalk walk, RecordLayout layout)
    {
        var damage = new List<DamagedRange>();
        long position = 0, suspect = 0;
        while (position < walk.Length)
        {
            if (IsTrusted(walk, layout, position, out var end))
            {
                if (suspect < position)
                    damage.Add(new(suspect, position));
                position = suspect = end;
                continue;
            }
            // Not a record: look further on for one.
            var next = walk.FindMagic(position + 1);
            if (next < 0)
                break;
            position = next;
        }
        if (suspect < walk.Length)
            damage.Add(new(suspect, walk.Length));
        return damage;
    }

    private static bool IsTrusted(SegmentWalk walk, RecordLayout layout, long position, out long end)
    {
        end = 0;
        if (!walk.IsPlausible(position, out var header))
            return false;
        end = walk.End(position, header);
        if (end == walk.Length)
            return true;
        if (end > walk.Length)
            return false;
        if (walk.Length - end < layout.HeaderSize || walk.IsPlausible(end, out _))
            return true;
        // The next header has a bad magic. If its length leads to the end or to a sound header, only that record is lost.
        if (!walk.TryRead(end, out var damaged) || damaged.Microseconds >= 1_000_000)
            return false;
        var behind = walk.End(end, damaged);
        return behind == walk.Length || (behind < walk.Length && walk.IsPlausible(behind, out _));
    }
}
