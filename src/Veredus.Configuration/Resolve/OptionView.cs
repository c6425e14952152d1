namespace Veredus.Configuration;

/// <summary>
/// The effective options at one place: own values first, then what its search order supplies (configuration.md section 6).
/// Immutable, shared and cached; <see cref="Get"/> allocates nothing.
/// </summary>
public sealed class OptionView
{
    private readonly ScopeNode[] _chain;
    private readonly Resolved?[] _found;

    internal OptionView(ResolutionFamily family, ScopeNode[] chain)
    {
        (Family, _chain) = (family, chain);
        _found = new Resolved?[family is ResolutionFamily.Sending or ResolutionFamily.Host ? Schema.SendingSlots : Schema.InboundSlots];
    }

    public ResolutionFamily Family { get; }

    /// <summary>The scopes that are asked, in this order; then the built-in default.</summary>
    public IReadOnlyList<ScopeNode> SearchOrder => _chain;

    /// <summary>The effective value.</summary>
    /// <exception cref="ArgumentException">The option can't be set in any scope of this family: a mistake in the calling code.</exception>
    public T Get<T>(Option<T> option) => Resolve(option).Value;

    /// <summary>The effective value with the scope that supplied it, for what is shared by reference.</summary>
    /// <exception cref="ArgumentException">As <see cref="Get"/>.</exception>
    public Resolved<T> Resolve<T>(Option<T> option) => (Resolved<T>)ResolveAny(option);

    /// <summary>As <see cref="Resolve{T}"/>, untyped.</summary>
    /// <exception cref="ArgumentException">As <see cref="Get"/>.</exception>
    public Resolved ResolveAny(Option option)
    {
        var slot = Family is ResolutionFamily.Sending or ResolutionFamily.Host ? option.SendingSlot : option.InboundSlot;
        if (slot < 0)
            throw new ArgumentException($"Option '{option.Name}' has no meaning for {Family}.", nameof(option));
        return _found[slot] ??= Search(option);
    }

    /// <summary>
    /// Whether every option has the same effective value in both. A session that began with one configuration may go on
    /// after a reload when this holds for its views (configuration.md section 10).
    /// </summary>
    public bool HasSameValues(OptionView other)
    {
        if (ReferenceEquals(this, other) || _chain.AsSpan().SequenceEqual(other._chain))
            return true;
        var isOutbound = Family is ResolutionFamily.Sending or ResolutionFamily.Host;
        return Schema.AllOptions.Where(o => (isOutbound ? o.SendingSlot : o.InboundSlot) >= 0)
            .All(o => Equals(ResolveAny(o).Raw, other.ResolveAny(o).Raw));
    }

    private Resolved Search(Option option)
    {
        foreach (var scope in _chain)
        {
            if (scope.Find(option) is { } own)
                return own;
        }
        return option.ResolvedDefault(Family);
    }
}

/// <summary>Chains compare by their scopes, so that equal places share one view.</summary>
internal sealed class ChainComparer : IEqualityComparer<ScopeNode[]>
{
    public static readonly ChainComparer Instance = new();

    public bool Equals(ScopeNode[]? x, ScopeNode[]? y) => x.AsSpan().SequenceEqual(y);

    public int GetHashCode(ScopeNode[] chain)
    {
        var hash = new HashCode();
        foreach (var scope in chain)
            hash.Add(System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(scope));
        return hash.ToHashCode();
    }
}
