using System.Buffers;
using System.Net;

namespace Veredus.Logging;

/// <summary>rejectlog: one recipient, message or connection was refused with a 4yz or 5yz reply.</summary>
/// <remarks>Two records are equal when their contexts are the same object; compare contexts by their content.</remarks>
public readonly record struct RejectRecord : ILogRecord
{
    /// <summary>Context values are cut at this many octets.</summary>
    public const int MaxContextValueBytes = 256;

    private static readonly SearchValues<char> NeedsQuotes =
        SearchValues.Create([.. Enumerable.Range(0, 33).Append(127).Select(code => (char)code), ',', '[', ']', '=', '"', '\\']);

    private static readonly IReadOnlyCollection<KeyValuePair<string, string>> NoContext = [];

    /// <summary>Unix seconds.</summary>
    public required long Time { get; init; }
    public required IPEndPoint? Remote { get; init; }
    public required IPEndPoint? Local { get; init; }
    public required LogId ConnectionId { get; init; }
    /// <summary>Name of the pathway, <c>default</c> without one.</summary>
    public required string Pathway { get; init; }
    public required string PathwayGroup { get; init; }
    /// <summary>Name of the session state (mta.md 2.1).</summary>
    public required string State { get; init; }
    /// <summary>400–599.</summary>
    public required int Code { get; init; }
    /// <summary>Who refused: <c>core</c>, <c>relay</c>, <c>rfc2822</c>, <c>limits</c>, <c>auth</c> or the name of a hook.</summary>
    public required string Module { get; init; }
    /// <summary>Read while formatting, not kept. Credentials are left out here whatever the caller gives.</summary>
    public IReadOnlyCollection<KeyValuePair<string, string>>? ConnectionContext { get; init; }
    /// <inheritdoc cref="ConnectionContext"/>
    public IReadOnlyCollection<KeyValuePair<string, string>>? MessageContext { get; init; }
    /// <summary>The reply without its code.</summary>
    public required string Text { get; init; }

    /// <summary>For own formats only; not a part of the line.</summary>
    public MailFacts Facts { get; init; }

    public void FormatLine(LineBuffer buffer)
    {
        buffer.Append(Time);
        buffer.Append(": R=\""u8);
        if (Remote is not null)
            buffer.Append(Remote);
        buffer.Append("\" L=\""u8);
        if (Local is not null)
            buffer.Append(Local);
        buffer.Append("\" C=\""u8);
        LogText.AppendQuoted(buffer, ConnectionId.ToString());
        buffer.Append("\" PATH=\""u8);
        LogText.AppendQuoted(buffer, Pathway);
        buffer.Append("\" PATH_GRP=\""u8);
        LogText.AppendQuoted(buffer, PathwayGroup);
        buffer.Append("\" P=\""u8);
        LogText.AppendQuoted(buffer, State);
        buffer.Append("\" E="u8);
        buffer.Append(Code);
        buffer.Append(" M="u8);
        AppendWord(buffer, Module);
        buffer.Append(" CTXCONN=["u8);
        AppendContext(buffer, ConnectionContext);
        buffer.Append("] CTXMESS=["u8);
        AppendContext(buffer, MessageContext);
        buffer.Append("] "u8);
        LogText.AppendLine(buffer, Text);
    }

    public void FormatJson(LineBuffer buffer)
    {
        var writer = new JsonFieldWriter(buffer);
        writer.Begin("reject"u8);
        writer.Field("time"u8, Time);
        writer.Field("remote"u8, Remote);
        writer.Field("local"u8, Local);
        writer.Field("connectionId"u8, ConnectionId);
        writer.Field("pathway"u8, Pathway);
        writer.Field("pathwayGroup"u8, PathwayGroup);
        writer.Field("state"u8, State);
        writer.Field("code"u8, Code);
        writer.Field("module"u8, Module);
        writer.Field("connectionContext"u8, Shown(ConnectionContext));
        writer.Field("messageContext"u8, Shown(MessageContext));
        writer.Field("text"u8, Text);
        writer.End();
    }

    // Of what authentication leaves in a context, only the outcome is for the log.
    internal static bool IsSecret(string key) => key.StartsWith("auth_", StringComparison.OrdinalIgnoreCase)
        && key is not ("auth_name" or "auth_status" or "auth_user");

    private static IReadOnlyCollection<KeyValuePair<string, string>> Shown(IReadOnlyCollection<KeyValuePair<string, string>>? context) =>
        context is null or { Count: 0 } ? NoContext
        : [.. context.Where(pair => !IsSecret(pair.Key)).Select(pair => KeyValuePair.Create(pair.Key, Cut(pair.Value).ToString()))];

    private static void AppendContext(LineBuffer buffer, IReadOnlyCollection<KeyValuePair<string, string>>? context)
    {
        var first = true;
        foreach (var (key, value) in context ?? NoContext)
        {
            if (IsSecret(key))
                continue;
            if (!first)
                buffer.Append((byte)',');
            first = false;
            AppendWord(buffer, key);
            buffer.Append((byte)'=');
            AppendWord(buffer, Cut(value));
        }
    }

    private static void AppendWord(LineBuffer buffer, ReadOnlySpan<char> text)
    {
        if (!text.ContainsAny(NeedsQuotes))
        {
            buffer.Append(text);
            return;
        }
        buffer.Append((byte)'"');
        LogText.AppendQuoted(buffer, text);
        buffer.Append((byte)'"');
    }

    /// <summary>The longest prefix of at most 256 octets that does not cut a character in two.</summary>
    private static ReadOnlySpan<char> Cut(string value)
    {
        if (value.Length <= MaxContextValueBytes / 3)
            return value;
        var (octets, at) = (0, 0);
        while (at < value.Length)
        {
            System.Text.Rune.DecodeFromUtf16(value.AsSpan(at), out var rune, out var consumed);
            if ((octets += rune.Utf8SequenceLength) > MaxContextValueBytes)
                break;
            at += consumed;
        }
        return value.AsSpan(0, at);
    }
}
