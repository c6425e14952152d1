using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Veredus.Configuration;

/// <summary>What stands for a value in the format of a <c>custom_logger</c> (mta.md 8.10).</summary>
public enum LogLetter
{
    /// <summary>Text between letters, in <see cref="LogPiece.Argument"/>.</summary>
    Literal,
    /// <summary><c>%t</c>: Unix seconds; <c>%t{FORMAT}</c>: strftime's letters, in UTC.</summary>
    Time,
    /// <summary><c>%us{N}</c>: Unix seconds with N decimals.</summary>
    FineTime,
    MessageId,
    BatchId,
    ConnectionId,
    RecipientLocalpart,
    RecipientDomain,
    SenderLocalpart,
    SenderDomain,
    RoutingDomain,
    Binding,
    BindingGroup,
    Size,
    RemoteAddress,
    Protocol,
    Pathway,
    PathwayGroup,
    Reply,
    Attempts,
    StageName,
    StageNumber,
    ClassName,
    ClassNumber,
    /// <summary><c>%T</c>: seconds since reception with two decimals; <c>%T{N}</c>: with N.</summary>
    QueueTime,
    AuthMethod,
    AuthUser,
    /// <summary><c>%vctx_conn{KEY}</c>.</summary>
    ConnectionContext,
    /// <summary><c>%vctx_mess{KEY}</c>.</summary>
    MessageContext,
}

/// <summary>A letter with what stands in its braces, or a text.</summary>
/// <param name="Number">The argument as a number, for letters that take one.</param>
public readonly record struct LogPiece(LogLetter Letter, string Argument, int Number);

/// <summary>A format of a <c>custom_logger</c>, e.g. <c>%t@%i@%r@%R</c>. Equal when written the same.</summary>
public sealed class LogFormat : IEquatable<LogFormat>
{
    private const int MostDecimals = 7;

    private enum Takes
    {
        Nothing,
        Number,
        Text,
        MaybeNumber,
        MaybeText,
    }

    // Longer ones first: %BI is the batch, never a size before an I.
    private static readonly (string Text, LogLetter Letter, Takes Takes)[] s_letters =
    [
        ("vctx_conn", LogLetter.ConnectionContext, Takes.Text), ("vctx_mess", LogLetter.MessageContext, Takes.Text), ("us", LogLetter.FineTime, Takes.Number),
        ("BI", LogLetter.BatchId, Takes.Nothing), ("CI", LogLetter.ConnectionId, Takes.Nothing), ("PG", LogLetter.PathwayGroup, Takes.Nothing),
        ("t", LogLetter.Time, Takes.MaybeText), ("i", LogLetter.MessageId, Takes.Nothing), ("r", LogLetter.RecipientLocalpart, Takes.Nothing),
        ("R", LogLetter.RecipientDomain, Takes.Nothing), ("m", LogLetter.SenderLocalpart, Takes.Nothing), ("M", LogLetter.SenderDomain, Takes.Nothing),
        ("d", LogLetter.RoutingDomain, Takes.Nothing), ("b", LogLetter.Binding, Takes.Nothing), ("g", LogLetter.BindingGroup, Takes.Nothing),
        ("B", LogLetter.Size, Takes.Nothing), ("H", LogLetter.RemoteAddress, Takes.Nothing), ("p", LogLetter.Protocol, Takes.Nothing),
        ("P", LogLetter.Pathway, Takes.Nothing), ("n", LogLetter.Reply, Takes.Nothing), ("N", LogLetter.Attempts, Takes.Nothing),
        ("s", LogLetter.StageName, Takes.Nothing), ("S", LogLetter.StageNumber, Takes.Nothing), ("c", LogLetter.ClassName, Takes.Nothing),
        ("C", LogLetter.ClassNumber, Takes.Nothing), ("T", LogLetter.QueueTime, Takes.MaybeNumber), ("A", LogLetter.AuthMethod, Takes.Nothing),
        ("U", LogLetter.AuthUser, Takes.Nothing),
    ];

    private readonly string _text;

    private LogFormat(string text, IReadOnlyList<LogPiece> pieces) => (_text, Pieces) = (text, pieces);

    /// <summary>In the order in which they are written.</summary>
    public IReadOnlyList<LogPiece> Pieces { get; }

    /// <summary>Reads a format.</summary>
    /// <param name="error">What it would have to be.</param>
    public static bool TryParse(string text, [NotNullWhen(true)] out LogFormat? format, out string error)
    {
        (format, error) = (null, "");
        var (pieces, literal) = (new List<LogPiece>(), new System.Text.StringBuilder());
        for (var at = 0; at < text.Length;)
        {
            if (char.IsControl(text[at]))
                return Fail("one line", out error);
            if (text[at] != '%' || text.AsSpan(at).StartsWith("%%"))
            {
                literal.Append(text[at]);
                at += text[at] == '%' ? 2 : 1;
                continue;
            }
            var rest = text.AsSpan(at + 1);
            if (rest.StartsWith("h{"))
                return Fail("a format without %h{NAME}: headers are not read for the logs", out error);
            var found = -1;
            for (var i = 0; i < s_letters.Length && found < 0; i++)
                found = rest.StartsWith(s_letters[i].Text) ? i : -1;
            if (found < 0)
                return Fail($"letters such as %t %i %r %R %b (%% for a percent sign); '{text[at..Math.Min(text.Length, at + 3)]}' is none", out error);
            var (name, letter, takes) = s_letters[found];
            at += 1 + name.Length;
            if (!TryTakeArgument(text, ref at, name, takes, out var argument, out var number, out error))
                return false;
            if (literal.Length > 0)
                pieces.Add(new(LogLetter.Literal, literal.ToString(), 0));
            literal.Clear();
            pieces.Add(new(letter, argument, number));
        }
        if (literal.Length > 0)
            pieces.Add(new(LogLetter.Literal, literal.ToString(), 0));
        if (pieces.Count == 0)
            return Fail("a format such as %t@%i@%r@%R", out error);
        format = new(text, pieces);
        return true;
    }

    public bool Equals(LogFormat? other) => other is not null && other._text == _text;

    public override bool Equals(object? obj) => Equals(obj as LogFormat);

    public override int GetHashCode() => _text.GetHashCode(StringComparison.Ordinal);

    /// <summary>As written.</summary>
    public override string ToString() => _text;

    private static bool TryTakeArgument(string text, ref int at, string name, Takes takes, out string argument, out int number, out string error)
    {
        (argument, number, error) = ("", -1, "");
        if (takes is Takes.Nothing)
            return true;
        if (at >= text.Length || text[at] != '{')
            return takes is Takes.MaybeNumber or Takes.MaybeText || Fail($"braces after %{name}, as in %{name}{{{(takes is Takes.Number ? "3" : "key")}}}", out error);
        var end = text.IndexOf('}', at);
        if (end < 0)
            return Fail($"a closing brace after %{name}{{", out error);
        argument = text[(at + 1)..end];
        at = end + 1;
        if (takes is Takes.Number or Takes.MaybeNumber && (!int.TryParse(argument, NumberStyles.None, CultureInfo.InvariantCulture, out number) || number > MostDecimals))
            return Fail($"a number of decimals from 0 to {MostDecimals} in %{name}{{{argument}}}", out error);
        return argument.Length > 0 || Fail($"something between the braces of %{name}{{}}", out error);
    }

    private static bool Fail(string expected, out string error)
    {
        error = expected;
        return false;
    }
}
