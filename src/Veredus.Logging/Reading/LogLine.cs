using System.Diagnostics.CodeAnalysis;

namespace Veredus.Logging;

/// <summary>Reads lines of the classic logs back into the records that produced them. Total: foreign or torn lines give <see langword="false"/>.</summary>
public static class LogLine
{
    /// <summary>Reads one line without its LF.</summary>
    public static bool TryParse(LogKind log, ReadOnlySpan<byte> line, [NotNullWhen(true)] out ILogRecord? record)
    {
        record = log switch
        {
            LogKind.Main => Main(line),
            LogKind.Bounce => Bounce(line),
            LogKind.Account => Account(line),
            LogKind.Import => Import(line),
            LogKind.Reject => RejectLine.Parse(line),
            LogKind.Panic => Panic(line),
            LogKind.Custom => null,  // in a form of the site's own
            _ => throw new ArgumentOutOfRangeException(nameof(log), log, null),
        };
        return record is not null;
    }

    private static ILogRecord? Main(ReadOnlySpan<byte> line)
    {
        var fields = new FieldReader(line);
        ILogRecord? record = (fields.Count, Char(fields.Raw(4))) switch
        {
            (14, 'R') => new ReceptionRecord
            {
                Time = fields.Number(0),
                MessageId = fields.Id(1),
                BatchId = fields.Id(2),
                ConnectionId = fields.Id(3),
                RecipientLocalpart = fields.Text(5),
                RecipientDomain = fields.Text(6),
                SenderLocalpart = fields.Text(7),
                SenderDomain = fields.Text(8),
                ClientAddress = fields.Address(9),
                Size = fields.Number(10),
                Protocol = fields.Text(11),
                BindingGroup = fields.Text(12),
                Binding = fields.Text(13),
            },
            (12, 'D' or 'X') => new DeliveryRecord
            {
                Time = fields.Number(0),
                MessageId = fields.Id(1),
                BatchId = fields.Id(2),
                ConnectionId = fields.Id(3),
                Kind = fields.Raw(4)[0] == 'X' ? DeliveryKind.HandedOver : DeliveryKind.Delivered,
                Domain = fields.Text(5),
                Size = fields.Number(6),
                BindingGroup = fields.Text(7),
                Binding = fields.Text(8),
                Retries = fields.Int(9),
                SinceReception = fields.Seconds(10),
                RemoteAddress = fields.Address(11),
            },
            (14, 'T' or 'P') => new FailureRecord
            {
                Time = fields.Number(0),
                MessageId = fields.Id(1),
                BatchId = fields.Id(2),
                ConnectionId = fields.Id(3),
                Kind = fields.Raw(4)[0] == 'P' ? FailureKind.Permanent : FailureKind.Transient,
                Domain = fields.Text(5),
                BytesSent = fields.Number(6),
                BindingGroup = fields.Text(7),
                Binding = fields.Text(8),
                Stage = (DeliveryStage)fields.Int(9),
                Retries = fields.Int(10),
                SinceReception = fields.Seconds(11),
                RemoteAddress = fields.Address(12),
                Reply = fields.Text(13),
            },
            // 3.x wrote M1 here.
            (5, 'M') => new HeartbeatRecord(LogKind.Main, fields.Number(0)),
            _ => null,
        };
        return fields.Ok ? record : null;
    }

    private static ILogRecord? Bounce(ReadOnlySpan<byte> line)
    {
        var fields = new FieldReader(line);
        ILogRecord? record = (fields.Count, Char(fields.Raw(4))) switch
        {
            // A custom_bounce_logger adds a field of its own at the end.
            (16 or 17, 'B' or 'T') => new BounceRecord
            {
                Time = fields.Number(0),
                MessageId = fields.Id(1),
                BatchId = fields.Id(2),
                ConnectionId = fields.Id(3),
                Kind = fields.Raw(4)[0] == 'B' ? FailureKind.Permanent : FailureKind.Transient,
                RecipientLocalpart = fields.Text(5),
                RecipientDomain = fields.Text(6),
                SenderLocalpart = fields.Text(7),
                SenderDomain = fields.Text(8),
                BindingGroup = fields.Text(9),
                Binding = fields.Text(10),
                Stage = (DeliveryStage)fields.Int(11),
                Classification = fields.Int(12),
                Size = fields.Number(13),
                RemoteAddress = fields.Address(14),
                Reply = fields.Text(15),
            },
            (5, 'M') => new HeartbeatRecord(LogKind.Bounce, fields.Number(0)),
            _ => null,
        };
        return fields.Ok ? record : null;
    }

    private static ILogRecord? Account(ReadOnlySpan<byte> line)
    {
        var fields = new FieldReader(line);
        ILogRecord? record = (fields.Count, Char(fields.Raw(1))) switch
        {
            (6, 'N' or 'T') => new AuthenticationRecord
            {
                Time = fields.Number(0),
                IsTimeout = fields.Raw(1)[0] == 'T',
                Endpoint = fields.Text(2),
                Peer = fields.EndPoint(3),
                User = fields.Text(4),
                Result = (AccountResult)fields.Int(5),
            },
            (7 or 8, 'Z') => new AuthorizationRecord
            {
                Time = fields.Number(0),
                Endpoint = fields.Text(2),
                Peer = fields.EndPoint(3),
                User = fields.Text(4),
                Result = (AccountResult)fields.Int(5),
                Command = fields.Text(6),
                Role = fields.Count == 8 ? fields.Text(7) : null,
            },
            _ => null,
        };
        return fields.Ok ? record : null;
    }

    private static ILogRecord? Import(ReadOnlySpan<byte> line)
    {
        var fields = new FieldReader(line);
        if (fields.Count != 6 || Char(fields.Raw(2)) != 'I')
            return null;
        var record = new ImportRecord
        {
            Time = fields.Number(0),
            SourceId = fields.Id(1),
            Id = fields.Id(3),
            Result = (ImportResult)fields.Int(4),
            SourceBase = fields.Text(5),
        };
        return fields.Ok ? record : null;
    }

    private static ILogRecord? Panic(ReadOnlySpan<byte> line)
    {
        var colon = line.IndexOf((byte)':');
        return colon > 0 && System.Buffers.Text.Utf8Parser.TryParse(line[..colon], out long time, out var read) && read == colon
            && LogText.TryUnescape(line[(colon + 1)..], out var text)
            ? new PanicRecord(time, text)
            : null;
    }

    /// <summary>The type letter: a one-letter field, or <c>M1</c>.</summary>
    private static char Char(ReadOnlySpan<byte> field) => field.Length == 1 || field.SequenceEqual("M1"u8) ? (char)field[0] : '\0';
}
