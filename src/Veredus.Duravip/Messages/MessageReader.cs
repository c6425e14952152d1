using System.Collections.Immutable;
using System.Text;

namespace Veredus.Duravip;

/// <summary>Reads protocol values. Total: anything wrong sets <see cref="Failed"/> and gives defaults from then on; every count is checked before memory is taken for it.</summary>
internal ref struct MessageReader(ReadOnlySpan<byte> bytes)
{
    /// <summary>Longest string, in bytes.</summary>
    public const int MaxText = 1_024;
    /// <summary>Services or names of one address.</summary>
    public const int MaxTexts = 256;

    private ReadOnlySpan<byte> _rest = bytes;
    private List<string>? _strings;

    public bool Failed { get; private set; }
    public readonly bool AtEnd => _rest.IsEmpty;

    /// <summary>Gives up: a value was well formed and still not acceptable.</summary>
    public void Reject() => Fail(0);

    private T Fail<T>(T value)
    {
        Failed = true;
        _rest = default;
        return value;
    }

    public byte Byte(byte max = byte.MaxValue)
    {
        if (_rest.IsEmpty || _rest[0] > max)
            return Fail((byte)0);
        var value = _rest[0];
        _rest = _rest[1..];
        return value;
    }

    public bool Flag() => Byte(max: 1) == 1;

    public ulong Number(ulong max = ulong.MaxValue)
    {
        var value = 0UL;
        for (var i = 0; i < _rest.Length && i < 10; i++)
        {
            var septet = _rest[i];
            if (i == 9 && septet > 1)
                break;
            value |= (ulong)(septet & 0x7F) << (7 * i);
            if (septet >= 0x80)
                continue;
            if (value > max)
                break;
            _rest = _rest[(i + 1)..];
            return value;
        }
        return Fail(0UL);
    }

    /// <summary>A count of things that take at least <paramref name="bytesEach"/> bytes.</summary>
    public int Count(int max, int bytesEach)
    {
        var count = (int)Number((ulong)max);
        return (long)count * bytesEach <= _rest.Length ? count : Fail(0);
    }

    public string Text()
    {
        _strings ??= [];
        var reference = Number((ulong)_strings.Count);
        if (Failed)
            return "";
        if (reference > 0)
            return _strings[(int)reference - 1];
        var length = Count(MaxText, 1);
        if (Failed)
            return "";
        try
        {
            var text = StrictUtf8.GetString(_rest[..length]);
            _rest = _rest[length..];
            _strings.Add(text);
            return text;
        }
        catch (DecoderFallbackException)
        {
            return Fail("");
        }
    }

    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    public VipAddress Address()
    {
        var length = Byte();
        if (length is not (4 or 16) || _rest.Length < length)
            return Fail(default(VipAddress));
        var address = VipAddress.FromBytes(_rest[..length]);
        _rest = _rest[length..];
        return address.Length == length ? address : Fail(default(VipAddress));  // a mapped address has one spelling only
    }

    public ImmutableArray<VipAddress> Addresses()
    {
        var count = Count(VipSet.MaxVips * 2, 5);
        var addresses = ImmutableArray.CreateBuilder<VipAddress>(count);
        for (var i = 0; i < count && !Failed; i++)
            addresses.Add(Address());
        return addresses.DrainToImmutable();
    }

    public MemberId Member() => new((uint)Number(uint.MaxValue), (uint)Number(uint.MaxValue));

    public ImmutableArray<MemberId> Members()
    {
        var count = Count(MemberSet.Capacity, 2);
        var members = ImmutableArray.CreateBuilder<MemberId>(count);
        for (var i = 0; i < count && !Failed; i++)
            members.Add(Member());
        return members.DrainToImmutable();
    }

    private ImmutableArray<string> Texts()
    {
        var count = Count(MaxTexts, 1);
        if (count == 0)
            return [];
        var texts = ImmutableArray.CreateBuilder<string>(count);
        for (var i = 0; i < count && !Failed; i++)
            texts.Add(Text());
        return texts.DrainToImmutable();
    }

    private VipEntry Entry()
    {
        var address = Address();
        var unit = Flag() ? Address() : address;
        var services = Texts();
        var names = Texts();
        var preference = Text();
        var placeability = (Placeability)Byte((byte)Placeability.NoInterface);
        return new(address, unit, services, names, preference, placeability, Text());
    }

    public VipEntry[] Entries()
    {
        var count = Count(VipSet.MaxVips, 11);
        var entries = new VipEntry[count];
        for (var i = 0; i < count && !Failed; i++)
            entries[i] = Entry();
        return Failed ? [] : entries;
    }
}
