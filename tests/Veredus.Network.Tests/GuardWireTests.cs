using System.Net;

namespace Veredus.Network.Tests;

public sealed class GuardWireTests
{
    private static readonly GuardSettings s_settings = new(
        new Topology([new(IPNetwork.Parse("198.18.0.0/16"), "eth0", 32), new(IPNetwork.Parse("2001:db8::/64"), "eth1", 128)]),
        [IPAddress.Parse("198.18.0.9"), IPAddress.Parse("2001:db8::9")], TimeSpan.FromSeconds(5), TimeSpan.FromMilliseconds(1500));

    [Fact]
    public void Settings_and_results_come_back_as_they_were()
    {
        GuardResult[] results = [new(IPAddress.Parse("198.18.0.10"), GuardOutcome.Failed, 17, "eth0: File exists"), new(IPAddress.Parse("2001:db8::10"), GuardOutcome.Done, 0, "eth1")];
        ReadOnlyMemory<byte> bytes = (byte[])
        [
            .. GuardWire.Frame(GuardVerb.Configure, 1, writer => GuardWire.Write(writer, s_settings)),
            .. GuardWire.Frame(GuardVerb.Results, 2, writer => GuardWire.Write(writer, results)),
        ];

        Assert.True(GuardWire.TryRead(ref bytes, out var first));
        Assert.True(GuardWire.TryRead(ref bytes, out var second));

        var settings = GuardWire.ReadSettings(GuardWire.Reader(first.Body));
        Assert.Equal((GuardVerb.Configure, 1u), (first.Verb, first.Id));
        Assert.Equal(s_settings.Topology.Blocks, settings.Topology.Blocks);
        Assert.Equal(s_settings.Reserved, settings.Reserved);
        Assert.Equal((s_settings.Lease, s_settings.Hold), (settings.Lease, settings.Hold));
        Assert.Equal(results, GuardWire.ReadResults(GuardWire.Reader(second.Body)));
        Assert.Equal(0, bytes.Length);
    }

    [Fact]
    public void A_frame_is_read_only_when_all_of_it_is_there()
    {
        var bytes = GuardWire.Frame(GuardVerb.Add, 7, writer => GuardWire.Write(writer, (IReadOnlyCollection<IPAddress>)s_settings.Reserved));
        for (var length = 0; length < bytes.Length; length++)
        {
            ReadOnlyMemory<byte> some = bytes.AsMemory(0, length);
            Assert.False(GuardWire.TryRead(ref some, out _));
            Assert.Equal(length, some.Length);
        }
    }

    [Theory]
    [InlineData(new byte[] { 0xFF, 0xFF, 0xFF, 0x7F, 1, 0, 0, 0, 0 })]
    [InlineData(new byte[] { 0xFF, 0xFF, 0xFF, 0xFF, 1, 0, 0, 0, 0 })]
    [InlineData(new byte[] { 1, 0, 0, 0, 1, 0, 0, 0, 0 })]
    public void A_length_that_no_frame_has_is_refused_before_anything_is_allocated(byte[] foreign)
    {
        ReadOnlyMemory<byte> bytes = foreign;
        Assert.Throws<InvalidDataException>(() => GuardWire.TryRead(ref bytes, out _));
    }

    [Fact]
    public void A_count_is_not_believed()
    {
        Assert.Throws<InvalidDataException>(() => GuardWire.ReadAddresses(GuardWire.Reader(BitConverter.GetBytes(int.MaxValue))));
        Assert.Throws<EndOfStreamException>(() => GuardWire.ReadAddresses(GuardWire.Reader(BitConverter.GetBytes(100_000))));
    }
}
