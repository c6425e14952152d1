using Veredus.Journal.Native;

namespace Veredus.Journal;

/// <summary>What a walk through a segment meets.</summary>
public enum InspectedKind
{
    Record,
    /// <summary>Its length leads past the end of the segment.</summary>
    OffTheEnd,
    /// <summary>Its first field is not that of this journal.</summary>
    WrongMagic,
    /// <summary>Fewer octets than a header are left.</summary>
    Junk,
}

/// <summary>One step of a walk through a segment.</summary>
/// <param name="Number">Of the record, from 1.</param>
/// <param name="Offset">Where it begins in the segment.</param>
/// <param name="HeaderBytes">16, or 20 in a compressed journal.</param>
/// <param name="StoredBytes">Octets behind the header, or octets that are left for <see cref="InspectedKind.Junk"/>.</param>
public readonly record struct Inspected(InspectedKind Kind, uint Number, long Offset, int HeaderBytes, long StoredBytes, uint Magic, uint PayloadBytes);

/// <summary>Walks segments record by record, without changing anything.</summary>
public static class JournalInspection
{
    /// <summary>Every record of a segment, in order; damage ends the walk.</summary>
    public static IEnumerable<Inspected> Walk(string directory, uint segment)
    {
        using var metastore = Metastore.Open(directory);
        using var data = JournalFile.TryOpen(Layout.SegmentPath(directory, segment), create: false, JournalError.SegmentOpen);
        if (data is null)
            yield break;
        using var walk = new SegmentWalk(data, metastore.Layout, data.Length);
        var header = metastore.Layout.HeaderSize;
        uint number = 0;
        for (long position = 0; position < walk.Length;)
        {
            number++;
            if (!walk.TryRead(position, out var record))
            {
                yield return new(InspectedKind.Junk, number, position, header, walk.Length - position, 0, 0);
                yield break;
            }
            var end = walk.End(position, record);
            var kind = record.Magic != metastore.Layout.Magic ? InspectedKind.WrongMagic : end > walk.Length ? InspectedKind.OffTheEnd : InspectedKind.Record;
            yield return new(kind, number, position, header, record.StoredLength, record.Magic, record.PayloadLength);
            if (kind != InspectedKind.Record)
                yield break;
            position = end;
        }
    }
}
