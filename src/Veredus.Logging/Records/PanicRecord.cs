namespace Veredus.Logging;

/// <summary>Weight of a paniclog entry, lightest first.</summary>
public enum PanicLevel
{
    Debug,
    Info,
    Notice,
    Warning,
    Error,
    Critical,
}

/// <summary>What a paniclog entry is about; the names are those of the <c>debug_flags</c> scope.</summary>
[Flags]
public enum PanicSubsystems
{
    None = 0,
    Error = 1,
    Time = 1 << 1,
    Fd = 1 << 2,
    Smtp = 1 << 3,
    Log1 = 1 << 4,
    Dns = 1 << 5,
    Dnsds = 1 << 6,
    Net = 1 << 7,
    Sig = 1 << 8,
    Mem = 1 << 9,
    Db = 1 << 10,
    Lic = 1 << 11,
    Ssl = 1 << 12,
    Mod = 1 << 13,
    Start = 1 << 14,
    All = (1 << 15) - 1,
}

/// <summary>paniclog: one thing that an operator should know.</summary>
/// <param name="Time">Unix seconds.</param>
/// <param name="Text">Free text; a module's begins with <c>module: </c>, a configuration error's with its <c>CFG-</c> code.</param>
public readonly record struct PanicRecord(long Time, string Text) : ILogRecord
{
    public void FormatLine(LineBuffer buffer)
    {
        buffer.Append(Time);
        buffer.Append((byte)':');
        LogText.AppendLine(buffer, Text);
    }

    public void FormatJson(LineBuffer buffer)
    {
        var writer = new JsonFieldWriter(buffer);
        writer.Begin("panic"u8);
        writer.Field("time"u8, Time);
        writer.Field("text"u8, Text);
        writer.End();
    }
}
