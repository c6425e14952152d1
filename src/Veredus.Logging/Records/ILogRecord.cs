namespace Veredus.Logging;

/// <summary>One event of a log. A value: it formats itself and keeps nothing.</summary>
public interface ILogRecord
{
    /// <summary>Appends the classic line, without its line end.</summary>
    void FormatLine(LineBuffer buffer);

    /// <summary>Appends the JSON object, without line end.</summary>
    void FormatJson(LineBuffer buffer);
}

/// <summary>A record whose classic form is a list of fields separated by <c>@</c>.</summary>
internal interface IFieldRecord
{
    void Fields<TWriter>(ref TWriter writer) where TWriter : struct, IFieldWriter;
}

internal static class FieldRecord
{
    public static void FormatLine<TRecord>(in TRecord record, LineBuffer buffer) where TRecord : struct, IFieldRecord
    {
        var writer = new AtFieldWriter(buffer);
        record.Fields(ref writer);
    }

    public static void FormatJson<TRecord>(in TRecord record, ReadOnlySpan<byte> log, LineBuffer buffer) where TRecord : struct, IFieldRecord
    {
        var writer = new JsonFieldWriter(buffer);
        writer.Begin(log);
        record.Fields(ref writer);
        writer.End();
    }
}
