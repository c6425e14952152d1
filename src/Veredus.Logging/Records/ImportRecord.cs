namespace Veredus.Logging;

/// <summary>What became of one message of an imported spool. The numbers are field 4 of the importlog.</summary>
public enum ImportResult
{
    Ok = 1,
    MetadataUnreadable = 2,
    BodyUnreadable = 3,
    WriteFailed = 4,
}

/// <summary>importlog <c>I</c>: one message of another spool was taken over.</summary>
public readonly record struct ImportRecord : ILogRecord, IFieldRecord
{
    /// <summary>Unix seconds.</summary>
    public required long Time { get; init; }
    public required LogId SourceId { get; init; }
    /// <summary>Its ID here; empty when it could not be taken over.</summary>
    public LogId Id { get; init; }
    public required ImportResult Result { get; init; }
    /// <summary>Base directory of the source spool.</summary>
    public required string SourceBase { get; init; }

    public void FormatLine(LineBuffer buffer) => FieldRecord.FormatLine(this, buffer);

    public void FormatJson(LineBuffer buffer) => FieldRecord.FormatJson(this, "import"u8, buffer);

    void IFieldRecord.Fields<TWriter>(ref TWriter writer)
    {
        writer.Field("time"u8, Time);
        writer.Field("sourceId"u8, SourceId);
        writer.Field("type"u8, "I");
        writer.Field("messageId"u8, Id);
        writer.Field("result"u8, (int)Result);
        writer.Field("sourceBase"u8, SourceBase);
    }
}
