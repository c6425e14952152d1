using System.Net;
using Veredus.Delivery;
using Veredus.Duravip;
using Veredus.Duravip.Driver;
using Veredus.Node.Inbound;

namespace Veredus.Node;

/// <summary>What follows a virtual address in this node: SMTP sockets, bindings and, where they go, their mail.</summary>
internal sealed class VipServices(string node, SmtpListeners listeners, DeliveryEngine delivery, BindingPresence presence) : IVipServices
{
    public void Open(VipAddress address) => listeners.OpenVirtual(address.ToIPAddress());

    public void Start(LocalVip vip)
    {
        listeners.OpenVirtual(vip.Address.ToIPAddress());
        presence.Set(vip.Address.ToIPAddress(), isHere: true);
    }

    public Task StopAsync(VipAddress address, TimeSpan drain)
    {
        var at = address.ToIPAddress();
        presence.Set(at, isHere: false);
        return listeners.CloseVirtualAsync(at, drain, Task.WhenAll(presence.On(at).Select(binding => delivery.LeaveAsync(binding.Group, binding.Name, drain))));
    }

    public void OwnersChanged(VipOwners? owners) => presence.SetOwners(
        owners?.Owner.ToDictionary(pair => pair.Key.ToIPAddress(), pair => pair.Value) ?? new Dictionary<IPAddress, string>(), owners?.Draining ?? [], owners?.Present, owners?.Draining.Contains(node));
}
