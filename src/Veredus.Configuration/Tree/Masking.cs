namespace Veredus.Configuration;

/// <summary>Keeps passwords out of everything that is shown or logged.</summary>
internal static class Masking
{
    public const string Mask = "********";
    private static readonly string[] SecretKeys = ["password", "pass", "secret", "key", "stored_cleartext"];

    /// <summary>The value as it may be shown.</summary>
    public static RawValue Show(Option option, RawValue value)
    {
        if (option.Secret)
            return RawValue.Scalar(Mask);
        return value.Kind switch
        {
            RawKind.Scalar => Uri(value.Text) is var shown && ReferenceEquals(shown, value.Text) ? value : RawValue.Scalar(shown),
            RawKind.Dictionary => RawValue.Dictionary([.. value.Pairs.Select(p => new KeyValuePair<string, RawValue>(p.Key,
                SecretKeys.Contains(p.Key, StringComparer.OrdinalIgnoreCase) ? RawValue.Scalar(Mask) : p.Value.Kind == RawKind.Scalar ? RawValue.Scalar(Uri(p.Value.Text)) : p.Value))]),
            _ => value.Items.Any(i => !ReferenceEquals(Uri(i), i)) ? RawValue.List([.. value.Items.Select(Uri)]) : value,
        };
    }

    /// <summary>Masks the password in <c>scheme://user:password@host</c>; other text comes back as it is.</summary>
    public static string Uri(string text)
    {
        var start = text.IndexOf("://", StringComparison.Ordinal);
        if (start < 0)
            return text;
        start += 3;
        var end = text.IndexOf('/', start);
        var at = text.LastIndexOf('@', end < 0 ? text.Length - 1 : end);
        var colon = at < start ? -1 : text.IndexOf(':', start, at - start);
        return colon < 0 ? text : string.Concat(text.AsSpan(0, colon + 1), Mask, text.AsSpan(at));
    }
}
