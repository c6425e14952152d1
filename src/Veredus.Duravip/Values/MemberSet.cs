namespace Veredus.Duravip;

/// <summary>A set of members of one view, by their index in the view's sorted list. A view has at most 128 members (the limit of CPG).</summary>
internal readonly record struct MemberSet(UInt128 Bits)
{
    public const int Capacity = 128;
    public static readonly MemberSet Empty;

    public bool IsEmpty => Bits == UInt128.Zero;
    public int Count => (int)UInt128.PopCount(Bits);

    /// <summary>The lowest index in the set, or -1.</summary>
    public int First => IsEmpty ? -1 : (int)UInt128.TrailingZeroCount(Bits);

    public static MemberSet Of(int index) => new(UInt128.One << index);
    public bool Contains(int index) => index >= 0 && (Bits >> index & UInt128.One) != UInt128.Zero;
    public MemberSet With(int index) => new(Bits | UInt128.One << index);
    public MemberSet Without(int index) => new(Bits & ~(UInt128.One << index));
    public MemberSet Except(MemberSet other) => new(Bits & ~other.Bits);
    public bool IsSubsetOf(MemberSet other) => (Bits & ~other.Bits) == UInt128.Zero;

    public static MemberSet operator &(MemberSet left, MemberSet right) => new(left.Bits & right.Bits);
    public static MemberSet operator |(MemberSet left, MemberSet right) => new(left.Bits | right.Bits);

    public Enumerator GetEnumerator() => new(Bits);

    public struct Enumerator(UInt128 rest)
    {
        private UInt128 _rest = rest;
        public int Current { get; private set; } = -1;

        public bool MoveNext()
        {
            if (_rest == UInt128.Zero)
                return false;
            Current = (int)UInt128.TrailingZeroCount(_rest);
            _rest &= _rest - UInt128.One;
            return true;
        }
    }
}
