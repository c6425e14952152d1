using System.Buffers.Binary;
using Veredus.Journal.Native;

namespace Veredus.Journal;

/// <summary>The file <c>pre_commit</c>: a write buffer of C writers (0 used u32 · 4 records). Never used for writing here; what a dead writer left in it is brought in once.</summary>
internal static class PreCommit
{
    public delegate void Appender(ReadOnlySpan<byte> records, ReadOnlySpan<int> ends, ref int appended);

    public static void Adopt(string directory, RecordLayout layout, bool adopt, Appender append)
    {
        var path = Path.Join(directory, Layout.PreCommit);
        using var file = JournalFile.TryOpen(path, create: false, JournalError.PreCommitOpen);
        if (file is null)
            return;
        using var held = file.Lock();
        var records = Read(file, layout, out var ends);
        if (records.Length == 0)
            return;
        if (!adopt)
            throw new JournalException(JournalError.PreCommitOpen, $"'{path}' holds {ends.Length} records of another writer. If that writer runs, leave the journal to it; if not, open with the pre-commit buffer adopted.");
        var appended = 0;
        append(records, ends, ref appended);
        file.Write(stackalloc byte[4], 0);
        file.Sync();
    }

    /// <summary>Octets that the buffer can hold; 0 for none.</summary>
    public static long Capacity(string directory)
    {
        var file = new FileInfo(Path.Join(directory, Layout.PreCommit));
        return file.Exists ? Math.Max(0, file.Length - 4) : 0;
    }

    private static byte[] Read(JournalFile file, RecordLayout layout, out int[] ends)
    {
        ends = [];
        Span<byte> head = stackalloc byte[4];
        if (file.Read(head, 0) < 4)
            return [];
        var used = BinaryPrimitives.ReadUInt32LittleEndian(head);
        if (used == 0)
            return [];
        if (used > file.Length - 4 || used > 1 << 30)
            throw Damaged(file, $"says {used} octets are used and holds {file.Length - 4}");
        var bytes = new byte[used];
        file.Read(bytes, 4);
        var found = new List<int>();
        long position = 0;
        while (position < used)
        {
            if (used - position < layout.HeaderSize)
                throw Damaged(file, "ends within a record");
            var header = RecordHeader.Read(bytes.AsSpan((int)position), layout);
            position += layout.HeaderSize + header.StoredLength;
            if (header.Magic != layout.Magic || position > used)
                throw Damaged(file, "holds bytes that are no record");
            found.Add((int)position);
        }
        ends = [.. found];
        return bytes;
    }

    private static JournalException Damaged(JournalFile file, string how) =>
        new(JournalError.PreCommitOpen, $"'{file.Path}' {how}. Nothing was written; move the file away to go on without its records.");
}
