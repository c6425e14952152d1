using System.Globalization;
using System.Security.Authentication;

namespace Veredus.Configuration;

/// <summary>Builds the rows of one part of the option table. Rows register themselves with <see cref="Registry"/>.</summary>
/// <param name="order">Place of the part in the table, whatever the order in which files are compiled.</param>
internal sealed class OptionSection(int order, string title)
{
    /// <summary>All options made so far, in the order of their declaration.</summary>
    public static List<Option> Registry { get; } = [];

    private const int Unlimited = int.MaxValue;
    private static readonly TimeSpan MaxSeconds = TimeSpan.FromSeconds(uint.MaxValue);

    private Option<T> Add<T>(string name, ScopeKinds scopes, string type, string defaultText, T value, ValueReader<T> reader, string summary,
        OptionStatus status, bool nonDynamic = false, bool secret = false, Func<T>? hostDefault = null)
    {
        var option = new Option<T>(new(order, title, name, scopes, type, defaultText, summary, status, nonDynamic, secret), value, hostDefault is null ? value : hostDefault(), reader);
        Registry.Add(option);
        return option;
    }

    public Option<bool> Bool(string name, ScopeKinds scopes, bool value, string summary, OptionStatus status = OptionStatus.Active, bool nonDynamic = false) =>
        Add(name, scopes, "bool", value ? "true" : "false", value, Readers.Scalar<bool>("true or false (on/off, yes/no, enabled/disabled, 1/0)", Readers.Bool), summary, status, nonDynamic);

    /// <summary>A whole number from <paramref name="min"/> to <paramref name="max"/>.</summary>
    public Option<int> Int(string name, ScopeKinds scopes, int value, string summary, int min = 0, int max = Unlimited, OptionStatus status = OptionStatus.Active, bool nonDynamic = false) =>
        Add(name, scopes, "int", value.ToString(CultureInfo.InvariantCulture), value, Readers.Bounded(Readers.Int, min, max, "a whole number"), summary, status, nonDynamic);

    /// <summary>A limit: -1 is accepted as "none" and a host stanza without it means -1.</summary>
    public Option<int> Limit(string name, ScopeKinds scopes, int value, string summary, OptionStatus status = OptionStatus.Active) =>
        Add(name, scopes, "int", value < 0 ? "" : value.ToString(CultureInfo.InvariantCulture), value, Readers.Bounded(Readers.Int, -1, Unlimited, "a whole number"), summary, status, hostDefault: () => -1);

    public Option<double> Number(string name, ScopeKinds scopes, double value, string summary, double min, double max, OptionStatus status = OptionStatus.Active) =>
        Add(name, scopes, "number", value.ToString(CultureInfo.InvariantCulture), value, Readers.Bounded(Readers.Number, min, max, "a number"), summary, status);

    /// <summary>A duration, written in seconds or with a unit.</summary>
    public Option<TimeSpan> Seconds(string name, ScopeKinds scopes, double value, string summary, double min = 0, OptionStatus status = OptionStatus.Active, bool nonDynamic = false) =>
        Add(name, scopes, "seconds", value.ToString(CultureInfo.InvariantCulture), TimeSpan.FromSeconds(value),
            Readers.Bounded(Readers.Seconds, TimeSpan.FromSeconds(min), MaxSeconds, "seconds (or 90s, 15m, 4h, 2d, 1w)"), summary, status, nonDynamic);

    public Option<long> Bytes(string name, ScopeKinds scopes, long value, string summary, OptionStatus status = OptionStatus.Active) =>
        Add(name, scopes, "bytes", value.ToString(CultureInfo.InvariantCulture), value, Readers.Bounded(Readers.Bytes, 0L, long.MaxValue, "bytes (or 64K, 10M, 2G)"), summary, status);

    public Option<UnixFileMode> Mode(string name, ScopeKinds scopes, string value, string summary, OptionStatus status = OptionStatus.Active, bool nonDynamic = false) =>
        Add(name, scopes, "octal", value, (UnixFileMode)Convert.ToInt32(value, 8), Readers.Scalar<UnixFileMode>("an octal file mode such as 0640", Readers.Octal), summary, status, nonDynamic);

    public Option<Rate> Rate(string name, ScopeKinds scopes, string summary, OptionStatus status = OptionStatus.Active) =>
        Add(name, scopes, "rate", "", default, Readers.Scalar<Rate>("a rate \"N\" per second or \"N/S\" per S seconds, both positive (0 = unlimited)", Configuration.Rate.TryParse), summary, status);

    /// <summary>A text without line breaks.</summary>
    public Option<string?> Text(string name, ScopeKinds scopes, string summary, OptionStatus status = OptionStatus.Active, bool nonDynamic = false, bool secret = false, string type = "string") =>
        Add(name, scopes, type, "", null, Readers.Scalar<string?>("a text without line breaks", Readers.Text), summary, status, nonDynamic, secret);

    /// <summary>A text that always has a value.</summary>
    public Option<string> TextOr(string name, ScopeKinds scopes, string value, string summary, OptionStatus status = OptionStatus.Active, bool nonDynamic = false, string type = "string") =>
        Add(name, scopes, type, value, value, Readers.Scalar("a text without line breaks", (string text, out string read) => Readers.Text(text, out read!)), summary, status, nonDynamic);

    /// <summary>A file; <c>none</c> cancels an inherited one and reads as null.</summary>
    public Option<string?> File(string name, ScopeKinds scopes, string summary, OptionStatus status = OptionStatus.Active, bool nonDynamic = false) =>
        Add(name, scopes, "file", "", null, Readers.Scalar("a file name, or none", (string text, out string? value) =>
        {
            value = text.Equals("none", StringComparison.OrdinalIgnoreCase) ? null : text;
            return text.Length > 0 && Readers.Text(text, out _);
        }), summary, status, nonDynamic);

    public Option<string?> HostName(string name, ScopeKinds scopes, string summary, OptionStatus status = OptionStatus.Active) =>
        Add(name, scopes, "host", "", null, Readers.Scalar<string?>("a host name, an IPv4 address or an IPv6 address in brackets", Readers.HostName), summary, status);

    public Option<string?> Name(string name, ScopeKinds scopes, string summary, OptionStatus status = OptionStatus.Active, bool nonDynamic = false) =>
        Add(name, scopes, "name", "", null, Readers.Scalar<string?>("a name without blanks, '@' and quotes", Readers.LogSafeName), summary, status, nonDynamic);

    public Option<HostAddress> Address(string name, ScopeKinds scopes, string summary, OptionStatus status = OptionStatus.Active, bool nonDynamic = false) =>
        Add(name, scopes, "addr", "*", HostAddress.Any, Readers.Scalar<HostAddress>("an IPv4 or IPv6 address, a host name or '*'", HostAddress.TryParse), summary, status, nonDynamic);

    public Option<CidrList> Networks(string name, ScopeKinds scopes, string summary, OptionStatus status = OptionStatus.Active) =>
        Add(name, scopes, "cidr list", "( )", CidrList.Empty, Readers.List<CidrList, System.Net.IPNetwork>("a list of addresses and networks such as ( 127.0.0.0/8 ::1 )", Readers.Cidr, items => new(items)), summary, status);

    public Option<DomainGlobList> Domains(string name, ScopeKinds scopes, string summary, OptionStatus status = OptionStatus.Active) =>
        Add(name, scopes, "domain list", "( )", DomainGlobList.Empty, Readers.List<DomainGlobList, string>("a list of domains such as ( example.com *.example.com )", Readers.DomainGlob, items => new(items)), summary, status);

    public Option<IReadOnlyList<string>> List(string name, ScopeKinds scopes, string summary, OptionStatus status = OptionStatus.Active, bool nonDynamic = false, string expected = "a list of texts", Func<string, bool>? valid = null) =>
        Add(name, scopes, "list", "( )", [], Readers.List<IReadOnlyList<string>, string>(expected, (string text, out string value) =>
        {
            value = text;
            return valid is null || valid(text);
        }, items => items), summary, status, nonDynamic);

    public Option<PatternList> Patterns(string name, ScopeKinds scopes, string summary, OptionStatus status = OptionStatus.Active) =>
        Add(name, scopes, "regex list", "( )", PatternList.Empty, Readers.List<PatternList, Pattern>("a list of regular expressions", Readers.Regex, items => new(items)), summary, status);

    public Option<Pattern?> Regex(string name, ScopeKinds scopes, string summary, OptionStatus status = OptionStatus.Active) =>
        Add(name, scopes, "regex", "", null, Readers.Scalar("a regular expression", (string text, out Pattern? value) => Readers.Regex(text, out value!)), summary, status);

    public Option<ValueDictionary> Dictionary(string name, ScopeKinds scopes, string summary, OptionStatus status = OptionStatus.Active) =>
        Add(name, scopes, "dict", "[ ]", ValueDictionary.Empty, Readers.Dictionary, summary, status);

    public Option<SslProtocols> TlsProtocols(string name, ScopeKinds scopes, string summary) =>
        Add(name, scopes, "protocols", "+ALL", SslProtocols.Tls12 | SslProtocols.Tls13,
            Readers.Scalar<SslProtocols>("versions such as +ALL:-TLSv1.2 (TLSv1, TLSv1.1, TLSv1.2, TLSv1.3; ALL is 1.2 and 1.3; no SSL)", Readers.TlsProtocols), summary, OptionStatus.Active);

    /// <summary>One of some words; the first stands for the default.</summary>
    public Option<T> Word<T>(string name, ScopeKinds scopes, string summary, OptionStatus status, params (string Word, T Value)[] words) =>
        Word(name, scopes, summary, status, null, words);

    public Option<T> Word<T>(string name, ScopeKinds scopes, string summary, OptionStatus status, Func<string, (bool Good, T Value)>? other, params (string Word, T Value)[] words)
    {
        var shown = string.Join(", ", words.Select(w => w.Word).Where(w => w.Length > 0)) + (other is null ? "" : ", or a number");
        return Add(name, scopes, shown, words[0].Word, words[0].Value, Readers.Scalar("one of " + shown, (string text, out T value) =>
        {
            var word = text.ToLowerInvariant();
            foreach (var candidate in words)
            {
                value = candidate.Value;
                if (candidate.Word.Length > 0 && candidate.Word.Equals(word, StringComparison.OrdinalIgnoreCase))
                    return true;
            }
            (var good, value) = other is null ? (false, default!) : other(text);
            return good;
        }), summary, status);
    }

    /// <summary>A value type of its own.</summary>
    public Option<T> Other<T>(string name, ScopeKinds scopes, string type, string defaultText, T value, ValueReader<T> reader, string summary, OptionStatus status = OptionStatus.Active) =>
        Add(name, scopes, type, defaultText, value, reader, summary, status);

    /// <summary>Options that are accepted in any form and not used. A trailing <c>*</c> stands for any ending.</summary>
    public void Ignore(ScopeKinds scopes, string reason, params string[] names)
    {
        foreach (var name in names)
            Add<RawValue?>(name, scopes, "any", "", null, AcceptAny, reason, OptionStatus.Ignored);
    }

    private static bool AcceptAny(RawValue raw, out RawValue? value, out ValueError error)
    {
        (value, error) = (raw, default);
        return true;
    }
}
