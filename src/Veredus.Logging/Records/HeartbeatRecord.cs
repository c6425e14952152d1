namespace Veredus.Logging;

/// <summary>The marker that shows a quiet log from a dead one: <c>M</c> in the mainlog, <c>M1</c> in the bouncelog, <c>Marker 1</c> in the rejectlog.</summary>
/// <param name="Log">Which log it stands in.</param>
/// <param name="Time">Unix seconds.</param>
public readonly record struct HeartbeatRecord(LogKind Log, long Time) : ILogRecord, IFieldRecord
{
    public void FormatLine(LineBuffer buffer)
    {
        if (Log is LogKind.Reject)
        {
            buffer.Append(Time);
            buffer.Append(": Marker 1"u8);
            return;
        }
        FieldRecord.FormatLine(this, buffer);
    }

    public void FormatJson(LineBuffer buffer) => FieldRecord.FormatJson(this, Log.JsonName(), buffer);

    void IFieldRecord.Fields<TWriter>(ref TWriter writer)
    {
        writer.Field("time"u8, Time);
        writer.Placeholder();
        writer.Placeholder();
        writer.Placeholder();
        writer.Field("type"u8, Log is LogKind.Bounce ? "M1" : "M");
    }
}
