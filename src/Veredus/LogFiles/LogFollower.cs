using System.Text;

namespace Veredus.LogFiles;

/// <summary>Reads what is added to log files, line by line, as they grow, come and go.</summary>
internal sealed class LogFollower(LogPlaces places, string? node, string? log)
{
    /// <summary>Octets at the end of a file among which the last lines are looked for.</summary>
    private const int MaxTail = 4 << 20;

    private readonly Dictionary<string, long> _read = new(StringComparer.Ordinal);

    /// <summary>The last lines that are there now; what comes later is for <see cref="More"/>.</summary>
    public IReadOnlyList<(LogFile File, string Line)> Last(int count)
    {
        var lines = new List<(LogFile, string)>();
        foreach (var file in places.Find(node, log).Reverse())
        {
            var from = Math.Max(0, new FileInfo(file.Path).Length - MaxTail);
            var all = lines.Count < count ? ReadFrom(file, from).Skip(from > 0 ? 1 : 0).ToList() : [];
            _read.TryAdd(file.Path, new FileInfo(file.Path).Length);
            lines.InsertRange(0, all.TakeLast(count - lines.Count).Select(line => (file, line)));
        }
        return lines;
    }

    /// <summary>Lines since the last call, whole ones only.</summary>
    public IEnumerable<(LogFile File, string Line)> More()
    {
        foreach (var file in places.Find(node, log))
        {
            var from = _read.GetValueOrDefault(file.Path);
            if (new FileInfo(file.Path) is not { Exists: true } info || info.Length == from)
                continue;
            foreach (var line in ReadFrom(file, info.Length < from ? 0 : from))
                yield return (file, line);
        }
    }

    private List<string> ReadFrom(LogFile file, long from)
    {
        var lines = new List<string>();
        using var stream = new FileStream(file.Path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, 1 << 16);
        stream.Position = from;
        using var reader = new StreamReader(stream, Encoding.UTF8, detectEncodingFromByteOrderMarks: false, leaveOpen: true);
        var text = reader.ReadToEnd();
        var whole = text.LastIndexOf('\n') + 1;
        _read[file.Path] = from + Encoding.UTF8.GetByteCount(text.AsSpan(0, whole));
        if (whole > 0)
            lines.AddRange(text[..(whole - 1)].Split('\n'));
        return lines;
    }
}
