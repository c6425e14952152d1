using System.Buffers;
using System.Text;

namespace Veredus.Reception.Content;

/// <summary>Checks a complete header section and writes it anew: trace headers on top, the sender's own in their order, what was missing at the end.</summary>
internal sealed class HeaderRewriter(ContentRules rules, TraceFacts trace) : IDisposable
{
    private const int MaxKeptValue = 4096;
    private byte[]? _scratch;

    public HeaderFacts Facts { get; } = new();

    /// <param name="section">All header lines; the last one may lack its line break.</param>
    /// <param name="output">Gets nothing when the section is refused.</param>
    public ContentFault Rewrite(ReadOnlySpan<byte> section, IBufferWriter<byte> output)
    {
        if (section.IsEmpty && rules.RequireHeaders)
            return ContentFault.NoHeaders;
        Canonical(ref section);
        var (hasDate, hasMessageId) = (false, false);
        for (var rest = section; !rest.IsEmpty;)
        {
            var field = NextField(ref rest);
            var name = Name(field);
            if (Is(name, "received"u8))
                Facts.ReceivedHeaders++;
            else if (Is(name, "date"u8))
                hasDate = true;
            else if (Is(name, "message-id"u8))
                hasMessageId = true;
            Keep(name, field);
        }

        Facts.DateMissing = !hasDate;
        if (Facts.ReceivedHeaders > rules.MaxReceivedHeaders && rules.RefuseLoops)
            return ContentFault.Loop;
        if (!hasDate && rules.Date == MissingDate.Reject)
            return ContentFault.NoDate;

        if (rules.TraceHeaders)
            TraceHeaders.WriteReceived(trace, output);
        // Neighbouring fields that stay are written in one piece.
        var (kept, start) = (0, 0);
        for (var rest = section; !rest.IsEmpty;)
        {
            var field = NextField(ref rest);
            var name = Name(field);
            var goes = (rules.TraceHeaders && Is(name, "return-path"u8)) || IsRemoved(name);
            var folds = !goes && HasLongLine(field);
            if (!goes && !folds)
            {
                kept += field.Length;
                continue;
            }

            Flush(section, output, start, kept);
            start += kept + field.Length;
            kept = 0;
            if (folds)
                HeaderFolder.Write(field, rules.BreakLinesAt, output);
        }

        Flush(section, output, start, kept);
        if (!hasDate && rules.Date == MissingDate.Add)
            TraceHeaders.WriteDate(trace, output);
        if (!hasMessageId && rules.AddMessageId)
            TraceHeaders.WriteMessageId(trace, output);
        return ContentFault.None;
    }

    public void Dispose()
    {
        if (_scratch is not null)
            ArrayPool<byte>.Shared.Return(_scratch);
        _scratch = null;
    }

    private static void Flush(ReadOnlySpan<byte> section, IBufferWriter<byte> output, int start, int length)
    {
        if (length > 0)
            output.Write(section.Slice(start, length));
    }

    /// <summary>Makes every line end with CR LF. The section is copied only when something has to change.</summary>
    private void Canonical(ref ReadOnlySpan<byte> section)
    {
        var lone = 0;
        for (var at = 0; at < section.Length; at++)
        {
            var next = section[at..].IndexOfAny((byte)'\r', (byte)'\n');
            if (next < 0)
                break;
            at += next;
            if (section[at] == '\r' && at + 1 < section.Length && section[at + 1] == '\n')
                at++;
            else
                lone++;
        }

        var isCut = !section.IsEmpty && section[^1] is not ((byte)'\n' or (byte)'\r');
        if (lone == 0 && !isCut)
            return;
        _scratch = ArrayPool<byte>.Shared.Rent(section.Length + lone + 2);
        var length = 0;
        for (var at = 0; at < section.Length; at++)
        {
            var c = section[at];
            if (c is not ((byte)'\r' or (byte)'\n'))
            {
                _scratch[length++] = c;
                continue;
            }

            if (c == '\r' && at + 1 < section.Length && section[at + 1] == '\n')
                at++;
            _scratch[length++] = (byte)'\r';
            _scratch[length++] = (byte)'\n';
        }

        if (isCut)
        {
            _scratch[length++] = (byte)'\r';
            _scratch[length++] = (byte)'\n';
        }

        section = _scratch.AsSpan(0, length);
    }

    /// <summary>Takes one field with its continuation lines off the front.</summary>
    private static ReadOnlySpan<byte> NextField(ref ReadOnlySpan<byte> rest)
    {
        var length = 0;
        do
        {
            length += rest[length..].IndexOf((byte)'\n') + 1;
        }
        while (length < rest.Length && rest[length] is (byte)' ' or (byte)'\t');
        var field = rest[..length];
        rest = rest[length..];
        return field;
    }

    private static ReadOnlySpan<byte> Name(ReadOnlySpan<byte> field) => field[..field.IndexOf((byte)':')].TrimEnd(" \t"u8);

    private static bool Is(ReadOnlySpan<byte> name, ReadOnlySpan<byte> lower) => name.Length == lower.Length && Ascii.EqualsIgnoreCase(name, lower);

    private bool IsRemoved(ReadOnlySpan<byte> name) => rules.RemovedHeader is { } removed && Ascii.EqualsIgnoreCase(name, removed);

    private bool HasLongLine(ReadOnlySpan<byte> field)
    {
        if (rules.BreakLinesAt == 0 || field.Length - 2 <= rules.BreakLinesAt)
            return false;
        while (!field.IsEmpty)
        {
            var length = field.IndexOf("\r\n"u8);
            if (length > rules.BreakLinesAt)
                return true;
            field = field[(length + 2)..];
        }

        return false;
    }

    private void Keep(ReadOnlySpan<byte> name, ReadOnlySpan<byte> field)
    {
        if (IsRemoved(name))
            Facts.Keep(rules.RemovedHeader!, Value(field));
        foreach (var wanted in rules.WantedHeaders)
        {
            if (Ascii.EqualsIgnoreCase(name, wanted))
                Facts.Keep(wanted, Value(field));
        }
    }

    private static string Value(ReadOnlySpan<byte> field)
    {
        var value = field[(field.IndexOf((byte)':') + 1)..].Trim(" \t\r\n"u8);
        if (value.Length > MaxKeptValue)
            value = value[..MaxKeptValue];
        return Encoding.UTF8.GetString(value).Replace("\r\n", "", StringComparison.Ordinal);
    }
}
