namespace Veredus.Configuration;

/// <summary>What setting an option does today. The one column to change when a part of Veredus starts to use an option.</summary>
public enum OptionStatus
{
    /// <summary>Has its effect.</summary>
    Active,
    /// <summary>Validated; no effect yet: CFG-0902.</summary>
    NotYet,
    /// <summary>Behaves as its default says; any other value is validated and has no effect: CFG-0902.</summary>
    DefaultOnly,
    /// <summary>Validated; will act once the node is part of a cluster: CFG-0903.</summary>
    ClusterNotYet,
    /// <summary>Accepted so that existing files load, never used: CFG-0901.</summary>
    Ignored,
}

/// <summary>One option of the schema. Names are case-insensitive; <see cref="Name"/> is in lower case.</summary>
public abstract class Option
{
    private protected Option(OptionFacts facts) => Facts = facts;

    internal OptionFacts Facts { get; }

    public string Name => Facts.Name;
    public string DisplayName => Names.Display(Facts.Name);
    public ScopeKinds Scopes => Facts.Scopes;
    public OptionStatus Status => Facts.Status;
    /// <summary>Whether <paramref name="value"/> is what the option means where it is not set.</summary>
    internal abstract bool IsDefault(Resolved value);
    /// <summary>A change takes effect only when the process starts again.</summary>
    public bool NonDynamic => Facts.NonDynamic;
    /// <summary>Never shown in clear.</summary>
    public bool Secret => Facts.Secret;
    public string Section => Facts.Section;
    public string Summary => Facts.Summary;
    public string TypeText => Facts.TypeText;
    /// <summary>The default as an operator would write it; empty when there is none.</summary>
    public string DefaultText => Facts.DefaultText;
    /// <summary>Stands for many ignored names; nothing is kept of them.</summary>
    internal bool IsWildcard => Name.EndsWith('*');
    internal int SendingSlot { get; set; } = -1;
    internal int InboundSlot { get; set; } = -1;

    public override string ToString() => Name;

    /// <summary>The default as a resolution without a place.</summary>
    internal abstract Resolved ResolvedDefault(ResolutionFamily family);

    /// <summary>Reads a value; a message without the option's name on failure, with what would be accepted.</summary>
    internal abstract Resolved? Read(RawValue raw, ScopeNode? scope, SourcePosition position, out ValueError error);
}

/// <summary>A typed key: the way code names an option.</summary>
/// <typeparam name="T">Type of the value; nullable where "not set" has no default.</typeparam>
public sealed class Option<T> : Option
{
    private readonly ValueReader<T> _reader;
    private readonly Resolved<T> _default;
    private readonly Resolved<T> _hostDefault;

    internal Option(OptionFacts facts, T defaultValue, T hostDefault, ValueReader<T> reader) : base(facts)
    {
        _reader = reader;
        _default = new(this, defaultValue, null, null, default);
        _hostDefault = new(this, hostDefault, null, null, default);
    }

    public T Default => _default.Value;

    internal override Resolved ResolvedDefault(ResolutionFamily family) => family == ResolutionFamily.Host ? _hostDefault : _default;

    internal override bool IsDefault(Resolved value) => EqualityComparer<T>.Default.Equals(((Resolved<T>)value).Value, Default);

    internal override Resolved? Read(RawValue raw, ScopeNode? scope, SourcePosition position, out ValueError error)
    {
        error = default;
        return _reader(raw, out var value, out error) ? new Resolved<T>(this, value, raw, scope, position) : null;
    }
}

/// <summary>Turns a written value into a typed one.</summary>
internal delegate bool ValueReader<T>(RawValue raw, out T value, out ValueError error);

/// <param name="Code"><c>CFG-03nn</c>.</param>
/// <param name="Expected">What would be accepted, e.g. <c>a number from 1 to 65535</c>.</param>
internal readonly record struct ValueError(string Code, string Expected);

/// <summary>Columns of the schema that don't depend on the option's type.</summary>
internal sealed record OptionFacts(
    int Order, string Section, string Name, ScopeKinds Scopes, string TypeText, string DefaultText, string Summary,
    OptionStatus Status, bool NonDynamic, bool Secret);

/// <summary>Which search order of configuration.md section 6 a view follows.</summary>
public enum ResolutionFamily
{
    Global,
    Sending,
    Host,
    Inbound,
    Scope,
}

/// <summary>A value with the place it came from.</summary>
public abstract class Resolved
{
    private protected Resolved(Option option, RawValue? raw, ScopeNode? scope, SourcePosition position) =>
        (Option, Raw, Scope, Position) = (option, raw, scope, position);

    public Option Option { get; }
    /// <summary>As written; null for a built-in default.</summary>
    public RawValue? Raw { get; }
    /// <summary>False for a built-in default.</summary>
    public bool IsSet => Raw is not null;
    public SourcePosition Position { get; }
    internal ScopeNode? Scope { get; }
    /// <summary>The scope that supplied the value. Equal ids share what is shared "by reference": throttle counters, scope limits.</summary>
    public ScopeId ScopeId => Scope is null ? ScopeId.Default : Scope.Id;
    internal abstract Resolved MovedTo(ScopeNode scope);
}

/// <inheritdoc/>
public sealed class Resolved<T> : Resolved
{
    internal Resolved(Option option, T value, RawValue? raw, ScopeNode? scope, SourcePosition position)
        : base(option, raw, scope, position) => Value = value;

    public T Value { get; }

    internal override Resolved MovedTo(ScopeNode scope) => new Resolved<T>(Option, Value, Raw, scope, Position);
}

/// <summary>Names a scope, the same before and after a reload: its path, or empty for the global scope.</summary>
public readonly record struct ScopeId(string Path)
{
    /// <summary>No scope: the built-in default supplied the value.</summary>
    public static readonly ScopeId Default = new("(default)");

    /// <summary>Path as <c>config locate</c> prints it.</summary>
    public override string ToString() => Path;
}
