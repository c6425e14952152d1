using System.Globalization;
using Veredus.Configuration;

namespace Veredus.Logging;

/// <summary>Writes an event in a format of a <c>custom_logger</c>. What is not known is empty.</summary>
internal static class StageWriter
{
    public static void Write(LineBuffer buffer, LogFormat format, in StageEvent told, bool isSanitized)
    {
        foreach (var piece in format.Pieces)
            Write(buffer, piece, told, isSanitized);
    }

    private static void Write(LineBuffer buffer, in LogPiece piece, in StageEvent told, bool isSanitized)
    {
        switch (piece.Letter)
        {
            case LogLetter.Literal:
                buffer.Append(piece.Argument);
                break;
            case LogLetter.Time when piece.Argument.Length == 0:
                buffer.Append(told.Time);
                break;
            case LogLetter.Time:
                Value(buffer, Strftime.Format(piece.Argument, told.Moment), isSanitized);
                break;
            case LogLetter.FineTime:
                Decimals(buffer, told.Moment.UtcTicks - DateTimeOffset.UnixEpoch.Ticks, piece.Number);
                break;
            case LogLetter.QueueTime when told.SinceReception is { } since:
                Decimals(buffer, since.Ticks, piece.Number < 0 ? 2 : piece.Number);
                break;
            case LogLetter.MessageId or LogLetter.BatchId or LogLetter.ConnectionId:
                Value(buffer, (piece.Letter switch { LogLetter.MessageId => told.MessageId, LogLetter.BatchId => told.BatchId, _ => told.ConnectionId }).ToString(), isSanitized);
                break;
            case LogLetter.RemoteAddress when told.Remote is { } remote:
                buffer.Append(remote);
                break;
            case LogLetter.Size or LogLetter.Attempts or LogLetter.StageNumber or LogLetter.ClassNumber:
                if (Number(piece.Letter, told) is { } number)
                    buffer.Append(number);
                break;
            default:
                Value(buffer, Text(piece, told), isSanitized);
                break;
        }
    }

    private static long? Number(LogLetter letter, in StageEvent told) => letter switch
    {
        LogLetter.Size => told.Size,
        LogLetter.Attempts => told.Attempts,
        LogLetter.StageNumber => (int?)told.At,
        _ => told.Facts.Classification,
    };

    private static ReadOnlySpan<char> Text(in LogPiece piece, in StageEvent told) => piece.Letter switch
    {
        LogLetter.RecipientLocalpart => Local(told.Facts.Recipient),
        LogLetter.RecipientDomain => Domain(told.Facts.Recipient),
        LogLetter.SenderLocalpart => Local(told.Facts.Sender),
        LogLetter.SenderDomain => Domain(told.Facts.Sender),
        LogLetter.RoutingDomain => told.RoutingDomain,
        LogLetter.Binding => told.Binding,
        LogLetter.BindingGroup => told.BindingGroup,
        LogLetter.Protocol => told.Facts.Protocol,
        LogLetter.Pathway => told.Pathway ?? Context(told.Facts.ConnectionContext, "pathway"),
        LogLetter.PathwayGroup => told.PathwayGroup,
        LogLetter.Reply => told.Reply,
        LogLetter.StageName => told.At?.Name(),
        LogLetter.ClassName => told.Facts.Classification is { } code ? ClassName(code) : null,
        LogLetter.AuthMethod => Context(told.Facts.ConnectionContext, "auth_name"),
        LogLetter.AuthUser => Context(told.Facts.ConnectionContext, "auth_user"),
        LogLetter.ConnectionContext => Context(told.Facts.ConnectionContext, piece.Argument),
        LogLetter.MessageContext => Context(told.Facts.MessageContext, piece.Argument),
        _ => null,
    };

    private static string? Context(IReadOnlyDictionary<string, string>? context, string key) =>
        context is not null && !RejectRecord.IsSecret(key) ? context.GetValueOrDefault(key) : null;

    private static ReadOnlySpan<char> Local(string? address) => At(address) is >= 0 and var at ? address.AsSpan(0, at) : address;

    private static ReadOnlySpan<char> Domain(string? address) => At(address) is >= 0 and var at ? address.AsSpan(at + 1) : default;

    // The last '@' parts an address: a quoted local part may hold others, a domain none.
    private static int At(string? address) => address is null || address.EndsWith('"') ? -1 : address.LastIndexOf('@');

    private static void Value(LineBuffer buffer, ReadOnlySpan<char> text, bool isSanitized)
    {
        if (isSanitized)
            LogText.AppendField(buffer, text);
        else
            LogText.AppendLine(buffer, text);
    }

    private static void Decimals(LineBuffer buffer, long ticks, int decimals) =>
        buffer.Append(((decimal)ticks / TimeSpan.TicksPerSecond).ToString($"F{decimals}", CultureInfo.InvariantCulture));

    /// <summary>mta.md 7.6; a number of the site has no name.</summary>
    private static string? ClassName(int code) => code switch
    {
        1 => "Undetermined",
        10 => "Invalid Recipient",
        20 => "Soft Bounce",
        21 => "DNS Failure",
        22 => "Mailbox Full",
        23 => "Too Large",
        24 => "Timeout",
        25 => "Admin Failure",
        30 => "Generic Bounce: No RCPT",
        40 => "Generic Bounce",
        50 => "Mail Block",
        51 => "Spam Block",
        52 => "Spam Content",
        53 => "Prohibited Attachment",
        54 => "Relaying Denied",
        60 => "Auto-Reply",
        70 => "Transient Failure",
        80 => "Subscribe",
        90 => "Unsubscribe",
        100 => "Challenge-Response",
        _ => null,
    };
}
