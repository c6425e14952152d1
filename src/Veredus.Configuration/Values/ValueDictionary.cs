using System.Collections;

namespace Veredus.Configuration;

/// <summary>A <c>[ key = value … ]</c> value. Keys are case-sensitive and keep their order; a value is a text or a list.</summary>
public sealed class ValueDictionary : IReadOnlyDictionary<string, IReadOnlyList<string>>
{
    public static readonly ValueDictionary Empty = new([]);
    private readonly Dictionary<string, IReadOnlyList<string>> _values = [];

    public ValueDictionary(IEnumerable<KeyValuePair<string, RawValue>> pairs)
    {
        foreach (var (key, value) in pairs)
            _values[key] = value.Kind == RawKind.List ? value.Items : [value.Text];
    }

    /// <summary>The text of a key; the first item of a list; null when absent.</summary>
    public string? Text(string key) => _values.TryGetValue(key, out var value) && value.Count > 0 ? value[0] : null;

    public IReadOnlyList<string> this[string key] => _values[key];
    public IEnumerable<string> Keys => _values.Keys;
    public IEnumerable<IReadOnlyList<string>> Values => _values.Values;
    public int Count => _values.Count;
    public bool ContainsKey(string key) => _values.ContainsKey(key);
    public bool TryGetValue(string key, out IReadOnlyList<string> value) => _values.TryGetValue(key, out value!);
    public IEnumerator<KeyValuePair<string, IReadOnlyList<string>>> GetEnumerator() => _values.GetEnumerator();
    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
