using System.Buffers.Text;
using System.Globalization;
using System.Net;
using System.Text;

namespace Veredus.Logging;

/// <summary>The fields of one line of an <c>@</c> log, by index. The first field that does not read makes the whole line unreadable.</summary>
internal ref struct FieldReader
{
    private readonly ReadOnlySpan<byte> _line;
    private readonly List<Range> _fields = [];

    public FieldReader(ReadOnlySpan<byte> line)
    {
        _line = line;
        var start = 0;
        for (var at = 0; at < line.Length; at++)
        {
            if (line[at] == '\\')
            {
                at++;
            }
            else if (line[at] == '@')
            {
                _fields.Add(start..at);
                start = at + 1;
            }
        }
        _fields.Add(start..);
        Ok = true;
    }

    public readonly int Count => _fields.Count;

    /// <summary>False once a field was missing or malformed.</summary>
    public bool Ok { get; private set; }

    /// <summary>The field as it stands; empty when there is none.</summary>
    public readonly ReadOnlySpan<byte> Raw(int index) => index < _fields.Count ? _line[_fields[index]] : [];

    public string Text(int index)
    {
        Ok &= index < Count & LogText.TryUnescape(Raw(index), out var text);
        return text;
    }

    public LogId Id(int index)
    {
        var id = default(LogId);
        Ok &= index < Count && LogText.TryUnescape(Raw(index), out var text) && LogId.TryFrom(Encoding.UTF8.GetBytes(text), out id);
        return id;
    }

    public long Number(int index)
    {
        var raw = Raw(index);
        Ok &= Utf8Parser.TryParse(raw, out long number, out var read) && read == raw.Length;
        return number;
    }

    public int Int(int index)
    {
        var number = Number(index);
        Ok &= number is >= int.MinValue and <= int.MaxValue;
        return (int)number;
    }

    public TimeSpan Seconds(int index)
    {
        var ticks = 0m;
        Ok &= decimal.TryParse(Raw(index), NumberStyles.AllowDecimalPoint | NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var seconds)
            && Math.Abs(seconds) < 900_000_000_000m;
        if (Ok)
            ticks = seconds * TimeSpan.TicksPerSecond;
        return TimeSpan.FromTicks((long)ticks);
    }

    /// <summary>An address; <see langword="null"/> for the empty field and for <c>unknown</c>.</summary>
    public IPAddress? Address(int index)
    {
        var raw = Raw(index);
        if (index >= Count)
            Ok = false;
        if (raw.IsEmpty || raw.SequenceEqual("unknown"u8))
            return null;
        Ok &= IPAddress.TryParse(raw, out var address);
        return address;
    }

    public IPEndPoint? EndPoint(int index)
    {
        var raw = Raw(index);
        if (index >= Count)
            Ok = false;
        if (raw.IsEmpty)
            return null;
        Ok &= IPEndPoint.TryParse(Encoding.UTF8.GetString(raw), out var endPoint);
        return endPoint;
    }
}
