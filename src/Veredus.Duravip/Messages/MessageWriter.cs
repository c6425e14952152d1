using System.Buffers;
using System.Text;

namespace Veredus.Duravip;

/// <summary>Appends protocol values to a buffer: unsigned integers as LEB128, strings once each (later uses refer to the first).</summary>
internal sealed class MessageWriter
{
    private readonly ArrayBufferWriter<byte> _buffer = new(256);
    private readonly Dictionary<string, int> _strings = new(StringComparer.Ordinal);

    public ReadOnlySpan<byte> Written => _buffer.WrittenSpan;

    public void Byte(byte value)
    {
        _buffer.GetSpan(1)[0] = value;
        _buffer.Advance(1);
    }

    public void Flag(bool value) => Byte(value ? (byte)1 : (byte)0);

    public void Number(ulong value)
    {
        var span = _buffer.GetSpan(10);
        var length = 0;
        for (; value >= 0x80; value >>= 7)
            span[length++] = (byte)(value | 0x80);
        span[length++] = (byte)value;
        _buffer.Advance(length);
    }

    public void Count(int value) => Number((ulong)value);

    public void Text(string text)
    {
        if (_strings.TryGetValue(text, out var known))
        {
            Number((ulong)known + 1);
            return;
        }
        Number(0);
        var length = Encoding.UTF8.GetByteCount(text);
        Count(length);
        _buffer.Advance(Encoding.UTF8.GetBytes(text, _buffer.GetSpan(length)));
        _strings.Add(text, _strings.Count);
    }

    public void Address(VipAddress address)
    {
        Byte((byte)address.Length);
        _buffer.Advance(address.WriteTo(_buffer.GetSpan(16)));
    }

    public void Addresses(IReadOnlyCollection<VipAddress> addresses)
    {
        Count(addresses.Count);
        foreach (var address in addresses)
            Address(address);
    }

    public void Member(MemberId member)
    {
        Number(member.NodeId);
        Number(member.Pid);
    }

    public void Members(IReadOnlyCollection<MemberId> members)
    {
        Count(members.Count);
        foreach (var member in members)
            Member(member);
    }

    public void Texts(IReadOnlyCollection<string> texts)
    {
        Count(texts.Count);
        foreach (var text in texts)
            Text(text);
    }

    public void Entry(VipEntry entry)
    {
        Address(entry.Address);
        Flag(entry.IsFollower);
        if (entry.IsFollower)
            Address(entry.Unit);
        Texts(entry.Services);
        Texts(entry.Names);
        Text(entry.Preference);
        Byte((byte)entry.Placeability);
        Text(entry.Network);
    }

    public void Entries(IReadOnlyCollection<VipEntry> entries)
    {
        Count(entries.Count);
        foreach (var entry in entries)
            Entry(entry);
    }
}
